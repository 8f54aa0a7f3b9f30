"""The proxy that a test puts on a link between two programs."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Self

from .breakpoints import Breakpoint, Decision
from .connection import Connection
from .events import EventKind, EventLog, LinkEvent
from .messages import Direction, Match, Side, WireProtocol
from .wire_thread import WIRE_THREAD, on_wire_thread


class Proxy:
    """Listens on a free port of this machine and carries each connection on to the real server.

    Any thread may call its methods; each returns when it has done what it says. TLS is not read: on a
    link that carries it, the connection is reset and the log says "not understood".
    """

    def __init__(
        self,
        name: str,
        protocol: type[WireProtocol],
        *,
        upstream: tuple[str, int],
        log: EventLog | None = None,
    ) -> None:
        self.name = name
        self.log = log if log is not None else EventLog()
        self.upstream = upstream
        self._protocol = protocol
        self._breakpoints: list[Breakpoint] = []  # one list for all connections
        self._connections: dict[asyncio.Task[None], Connection] = {}
        self._answering = True
        self._accepted = 0
        self._listener: socket.socket | None = None
        self._flowing = _never_flowing()
        for flowing in self._flowing.values():
            flowing.set()
        with contextlib.ExitStack() as opening:
            self.portal = opening.enter_context(WIRE_THREAD)
            # Bound but never listening: it keeps the port ours while connections are refused.
            address = opening.enter_context(socket.socket())
            address.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            address.bind(("127.0.0.1", 0))
            self.port: int = address.getsockname()[1]
            opening.callback(self._stop)
            self.portal.call(self._pass_everything)
            self._open = opening.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # What happens to single messages.

    def hold(self, match: Match, *, times: int | None = 1) -> Breakpoint:
        """Hold the next matching message until told what to do with it."""
        return self._add(match, None, times)

    def watch(self, match: Match, *, times: int | None = 1) -> Breakpoint:
        """Let the next matching message pass; `wait` returns when it has passed."""
        return self._add(match, Decision(EventKind.RELEASED), times)

    def cut(self, match: Match, *, times: int | None = 1) -> Breakpoint:
        """Swallow the next matching message and reset its connection."""
        return self._add(match, Decision(EventKind.RESET), times)

    # What happens to the link as a whole.

    @on_wire_thread
    async def refuse(self) -> None:
        """Refuse new connections, as a machine without the server would; the open ones go on."""
        self._stop_accepting()
        self._record(EventKind.REFUSED, "connections are refused")

    @on_wire_thread
    async def blackhole(self, *lost: Direction) -> None:
        """Let nothing through, either way or this way only, not even the end of a connection.

        What is sent arrives after `heal`, unless its connection is reset before.
        """
        for direction in lost or Direction:
            self._flowing[direction].clear()
        self._record(EventKind.BLACKHOLED, ", ".join(lost))

    @on_wire_thread
    async def leave_unanswered(self) -> None:
        """Accept new connections and never answer them, not even after `heal`; the open ones go on."""
        self._answering = False
        self._record(EventKind.UNANSWERED, "connections are accepted and never answered")

    @on_wire_thread
    async def reset_connections(self) -> None:
        """Reset all open connections, with whatever has not arrived yet."""
        for connection in self._connections.values():
            connection.reset()

    @on_wire_thread
    async def heal(self) -> None:
        """Accept connections and pass everything again. Breakpoints and messages that are held stay."""
        self._pass_everything()
        self._record(EventKind.HEALED)

    @on_wire_thread
    async def clear(self) -> None:
        """Take away all breakpoints and release what they hold."""
        for point in self._breakpoints:
            point.end()
        self._breakpoints.clear()

    @property
    def open_connections(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    def close(self) -> None:
        """End all connections and free the port. Messages that are held are gone. May be called again."""
        self._open.close()

    @on_wire_thread
    async def _add(self, match: Match, decision: Decision | None, times: int | None) -> Breakpoint:
        point = Breakpoint(self.portal, self.name, match, self.log, decision, times)
        self._breakpoints.append(point)
        return point

    @on_wire_thread
    async def _stop(self) -> None:
        self._stop_accepting()
        for connection in self._connections.values():
            connection.close()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _stop_accepting(self) -> None:
        if self._listener:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    def _pass_everything(self) -> None:
        self._answering = True
        for flowing in self._flowing.values():
            flowing.set()
        self._listen()

    def _listen(self) -> None:
        if self._listener:
            return
        # A wider backlog than any test has clients, or the kernel would delay connections by a second.
        listener = socket.create_server(("127.0.0.1", self.port), backlog=1024)
        listener.setblocking(False)
        # Not as a task: one that is cancelled could lose a connection that it has just accepted.
        asyncio.get_running_loop().add_reader(listener, self._accept, listener)
        self._listener = listener

    def _accept(self, listener: socket.socket) -> None:
        try:
            client, _ = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # Who wanted it has gone.
        client.setblocking(False)
        self._accepted += 1
        sockets, protocol, points = {Side.CLIENT: client}, self._protocol(), self._breakpoints
        flowing = self._flowing if self._answering else _never_flowing()
        connection = Connection(self.name, self._accepted, sockets, protocol, self.log, flowing, points)
        task = connection.start(self.upstream)
        self._connections[task] = connection
        task.add_done_callback(self._connections.pop)

    def _record(self, kind: EventKind, label: str = "") -> None:
        self.log.add(LinkEvent(self.name, kind, label))


def _never_flowing() -> dict[Direction, asyncio.Event]:
    return {direction: asyncio.Event() for direction in Direction}
