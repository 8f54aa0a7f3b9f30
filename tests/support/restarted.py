"""Servers of a stack with other settings, for as long as a test needs them."""

from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from todo_stack.process import Server
from todo_stack.stack import Stack


@contextmanager
def restarted(stack: Stack, names: Collection[str], settings: Mapping[str, str]) -> Iterator[None]:
    """Let these servers run with these settings besides their own; in the end they run as before."""
    servers = [stack.servers[name] for name in names]
    before = [server.env for server in servers]
    _start(servers, [{**env, **settings} for env in before])
    try:
        yield
    finally:
        _start(servers, before)


def _start(servers: list[Server], environments: list[dict[str, str]]) -> None:
    with ThreadPoolExecutor(len(servers)) as pool:
        list(pool.map(Server.stop, servers))
        for server, env in zip(servers, environments, strict=True):
            server.env = env
        list(pool.map(Server.start, servers))
