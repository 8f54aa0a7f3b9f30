"""What the processes of a server take together: gunicorn's workers and PostgreSQL's backends are its children."""

import threading
from collections.abc import Callable, Mapping
from typing import NamedTuple, Self

import psutil

from todo_stack import tree
from todo_stack.process import Server

SAMPLE_SECONDS = 0.25


class Taken(NamedTuple):
    """What a server has taken since its start."""

    cpu_seconds: float
    written: int | None
    """Bytes given to write(2); None where the system does not tell. Not those that the kernel accounts as dirtied:
    it takes large pages for whole, a hundred times what was written."""


class PeakMemory:
    """Watches the private memory of servers from a thread while it is open."""

    def __init__(self, servers: Mapping[str, Server]) -> None:
        """Watch nothing yet."""
        self.bytes = dict.fromkeys(servers, 0)
        """The most that each had at one time."""
        self._servers = servers
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory", daemon=True)

    def __enter__(self) -> Self:
        self._look()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            self._look()

    def _look(self) -> None:
        for name, server in self._servers.items():
            self.bytes[name] = max(self.bytes[name], int(_sum(_private_memory, server)))


def resident_memory(server: Server) -> int:
    """Return the bytes of a server in memory. What its processes share counts in each of them."""
    return int(_sum(lambda process: process.memory_info().rss, server))


def taken(server: Server) -> Taken:
    """Return what a server has taken until now."""
    # The first four: user and system, and those of children that have ended, on Linux. Backends come and go.
    cpu = _sum(lambda process: sum(process.cpu_times()[:4]), server)
    try:
        return Taken(cpu, int(_sum(lambda process: process.io_counters().write_chars, server)))
    except (AttributeError, psutil.AccessDenied):
        return Taken(cpu, None)


def _private_memory(process: psutil.Process) -> int:
    """Return the bytes that a process has for itself, where the system tells; else all that it has in memory."""
    try:
        return int(process.memory_full_info().uss)
    except psutil.AccessDenied:
        return int(process.memory_info().rss)


def _sum(ask: Callable[[psutil.Process], float], server: Server) -> float:
    total = 0.0
    for process in tree.family(server.pid) if server.pid else []:
        try:
            total += ask(process)
        except psutil.NoSuchProcess:
            # It has ended since it was listed.
            continue
    return total
