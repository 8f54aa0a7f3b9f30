"""A core of its own for some servers, and another one for all others and the load generator."""

import contextlib
import os
from collections.abc import Collection, Iterator, Mapping, Set

import psutil

from todo_stack import tree
from todo_stack.process import Server


def can_pin() -> bool:
    """Return whether the system can say which core a process has, and has two for this one."""
    return hasattr(os, "sched_setaffinity") and len(os.sched_getaffinity(0)) > 1


@contextlib.contextmanager
def own_core(servers: Mapping[str, Server], meant: Collection[str]) -> Iterator[None]:
    """Let these of the servers have a core, and the others another one, as what this thread starts."""
    free = os.sched_getaffinity(0)
    own, other = sorted(free)[:2]
    try:
        os.sched_setaffinity(0, {other})
        for name, server in servers.items():
            _pin(server, {own} if name in meant else {other})
        yield
    finally:
        os.sched_setaffinity(0, free)
        for server in servers.values():
            _pin(server, free)


def _pin(server: Server, cores: Set[int]) -> None:
    # Each thread has its own; those that it starts have the same, so some may have come meanwhile.
    while sum(_moved(thread, cores) for thread in _threads(server)):
        pass


def _threads(server: Server) -> Iterator[int]:
    for process in tree.family(server.pid) if server.pid else []:
        with contextlib.suppress(psutil.NoSuchProcess):
            yield from (thread.id for thread in process.threads())


def _moved(thread: int, cores: Set[int]) -> bool:
    with contextlib.suppress(ProcessLookupError):
        if os.sched_getaffinity(thread) != cores:
            os.sched_setaffinity(thread, cores)
            return True
    return False
