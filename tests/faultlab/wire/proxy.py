"""The proxy that a test puts on a link between two programs."""

from __future__ import annotations

import asyncio
import socket
from functools import partial
from types import TracebackType
from typing import Self

from .breakpoints import Breakpoint, Decision, Fate
from .connection import Connection
from .events import Event, EventLog, Kind
from .loop import LOOP
from .matching import Match
from .messages import Protocol, Side


class Proxy:
    """Listens on a free port of this machine and carries each connection on to the real server.

    Every method returns when what it says has happened and may be called from any thread. TLS is not read: on a
    link that carries it, the connection is reset and the log says "not understood".
    """

    def __init__(
        self, name: str, protocol: Protocol, *, upstream: tuple[str, int], port: int = 0, log: EventLog | None = None
    ) -> None:
        self.name = name
        self.log = log if log is not None else EventLog()
        self.upstream = upstream
        self._protocol = protocol
        self._breakpoints: list[Breakpoint] = []  # those that may still stop something
        self._issued: list[Breakpoint] = []  # and those that still hold something
        self._connections: dict[Connection, asyncio.Task[None]] = {}
        self._opened = 0
        self._accepting: asyncio.Task[None] | None = None
        # Bound but never listening: it keeps the port ours while connections are refused.
        self._address = _bound(("127.0.0.1", port))
        self.port: int = self._address.getsockname()[1]
        self._closed = False
        LOOP.acquire()
        try:
            LOOP.call(self._open())
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # What happens to single messages.

    def hold(self, match: Match, *, times: int | None = 1) -> Breakpoint:
        """Hold the next matching message until told what to do with it."""
        return self._add(match, None, times)

    def watch(self, match: Match, *, times: int | None = 1) -> Breakpoint:
        """Let the next matching message pass; `wait` returns when it has passed."""
        return self._add(match, Decision(Fate.RELEASED), times)

    def drop(self, match: Match, *, times: int | None = 1) -> Breakpoint:
        """Swallow the next matching message and leave its connection open."""
        return self._add(match, Decision(Fate.DROPPED), times)

    def cut(self, match: Match, *, toward: Side | None = None, times: int | None = 1) -> Breakpoint:
        """Swallow the next matching message and reset its connection, on both sides or toward one."""
        return self._add(match, Decision(Fate.RESET, toward=toward), times)

    def stall(self, match: Match, seconds: float, *, times: int | None = 1) -> Breakpoint:
        """Delay the next matching message."""
        return self._add(match, Decision(Fate.RELEASED, delay=seconds), times)

    # What happens to the link as a whole.

    def refuse(self) -> None:
        """Refuse new connections, as a machine without the server would; the open ones go on."""
        LOOP.call(self._refuse())

    def blackhole(self) -> None:
        """Let nothing through, either way, not even the end of a connection; what is sent arrives after `heal`."""
        LOOP.call(self._blackhole())

    def reset_connections(self, toward: Side | None = None) -> None:
        """Reset all open connections, on both sides or toward one."""
        LOOP.call(self._reset_connections(toward))

    def heal(self) -> None:
        """Accept connections and pass everything again. Breakpoints and messages that are held stay."""
        LOOP.call(self._heal())

    def clear(self) -> None:
        """Take away all breakpoints and release what they hold."""
        LOOP.call(self._clear())

    @property
    def open_connections(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    def close(self) -> None:
        """End all connections and free the port. Messages that are held are gone. May be called again."""
        if self._closed:
            return
        self._closed = True
        try:
            LOOP.call(self._close())
        finally:
            self._address.close()
            LOOP.release()

    def _add(self, match: Match, decision: Decision | None, times: int | None) -> Breakpoint:
        point = Breakpoint(self.name, match, self.log, decision=decision, times=times)
        LOOP.call(self._register(point))
        return point

    async def _register(self, point: Breakpoint) -> None:
        self._breakpoints.append(point)
        self._issued = [other for other in self._issued if not other.over] + [point]

    async def _open(self) -> None:
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._listen()

    def _listen(self) -> None:
        # A wider backlog than any test has clients, or the kernel would delay connections by a second.
        listener = _bound(("127.0.0.1", self.port))
        listener.listen(1024)
        self._accepting = asyncio.get_running_loop().create_task(self._accept(listener))

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with listener:
            while True:
                client, _ = await loop.sock_accept(listener)
                self._opened += 1
                connection = Connection(
                    self.name,
                    self._opened,
                    client,
                    self._protocol.fresh(),
                    log=self.log,
                    flowing=self._flowing,
                    breakpoints=self._breakpoints,
                )
                task = loop.create_task(connection.run(self.upstream))
                self._connections[connection] = task
                task.add_done_callback(partial(self._forget, connection))

    def _forget(self, connection: Connection, _: asyncio.Task[None]) -> None:
        self._connections.pop(connection, None)

    async def _refuse(self) -> None:
        if self._accepting is not None:
            await _stopped(self._accepting)
            self._accepting = None
            self._record(Kind.REFUSED, "connections are refused")

    async def _blackhole(self) -> None:
        self._flowing.clear()
        self._record(Kind.BLACKHOLED)

    async def _reset_connections(self, toward: Side | None) -> None:
        for connection in tuple(self._connections):
            connection.reset(toward)

    async def _heal(self) -> None:
        self._flowing.set()
        if self._accepting is None:
            self._listen()
        self._record(Kind.HEALED)

    async def _clear(self) -> None:
        self._breakpoints.clear()
        for point in self._issued:
            await point.end()
        self._issued.clear()

    async def _close(self) -> None:
        if self._accepting is not None:
            await _stopped(self._accepting)
        open_ = dict(self._connections)
        for connection, task in open_.items():
            connection.close()
            task.cancel()
        await asyncio.gather(*open_.values(), return_exceptions=True)

    def _record(self, kind: Kind, label: str = "") -> None:
        self.log.add(Event(self.name, kind, label))


def _bound(address: tuple[str, int]) -> socket.socket:
    sock = socket.socket()
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


async def _stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
