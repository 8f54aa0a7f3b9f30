"""What the processes of a server take together: gunicorn's workers and PostgreSQL's backends are its children."""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import psutil

from tests.lab.matrix.price import private_memory
from todo_stack import tree
from todo_stack.process import Server

SAMPLE_SECONDS = 0.25


@dataclass(frozen=True)
class Taken:
    """What a server has taken since its start."""

    cpu_seconds: float
    written: int | None
    """Bytes given to write(2); None where the system does not tell. Not those that the kernel accounts as dirtied:
    it takes large pages for whole, a hundred times what was written."""

    def since(self, earlier: "Taken") -> "Taken":
        """Return what was taken meanwhile."""
        written = None if self.written is None or earlier.written is None else self.written - earlier.written
        return Taken(self.cpu_seconds - earlier.cpu_seconds, written)


class Peak:
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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            self._look()

    def _look(self) -> None:
        for name, server in self._servers.items():
            self.bytes[name] = max(self.bytes[name], int(_sum(private_memory, _members(server))))


def resident(server: Server) -> int:
    """Return the bytes of a server in memory. What its processes share counts in each of them."""
    return int(_sum(lambda member: member.memory_info().rss, _members(server)))


def taken(server: Server) -> Taken:
    """Return what a server has taken until now."""
    members = _members(server)
    # The first four: user and system, and those of children that have ended, on Linux. Backends come and go.
    cpu = _sum(lambda member: sum(member.cpu_times()[:4]), members)
    try:
        return Taken(cpu, int(_sum(lambda member: member.io_counters().write_chars, members)))
    except (AttributeError, psutil.AccessDenied):
        return Taken(cpu, None)


def _members(server: Server) -> list[psutil.Process]:
    return tree.family(server.pid) if server.pid else []


def _sum(ask: Callable[[psutil.Process], float], members: Iterable[psutil.Process]) -> float:
    total = 0.0
    for member in members:
        try:
            total += ask(member)
        except psutil.NoSuchProcess:
            # It has ended since it was listed.
            continue
    return total
