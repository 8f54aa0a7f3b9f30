"""Ports that tests and the fault lab start their servers on."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple

from todo_stack.ports import Ports


def test_free_ports_are_given_to_one() -> None:
    """Stacks that start at the same time in one process, on threads of their own, share no port."""
    with ThreadPoolExecutor(8) as pool:
        given = [port for ports in pool.map(lambda _: Ports.free(), range(30)) for port in astuple(ports)]
    assert len(set(given)) == len(given)
