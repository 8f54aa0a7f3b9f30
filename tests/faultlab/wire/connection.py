"""One proxied connection: two streams of messages, each message passed on, held back or lost."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from .breakpoints import Breakpoint, Held
from .events import EventKind, EventLog, LinkEvent
from .messages import Direction, Message, Side, WireProtocol

_CHUNK = 256 * 1024
_BACKLOG = 16 * 1024 * 1024  # bytes that may wait behind a held message before the sender is made to wait
_RST = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: close() sends RST and throws unsent data away


@dataclass(eq=False)
class Connection:
    """Joins a client's socket with a new one to the server."""

    link: str
    number: int
    sockets: dict[Side, socket.socket]
    """The client's at first, then the server's too, at last none."""
    protocol: WireProtocol
    log: EventLog
    flowing: Mapping[Direction, asyncio.Event]
    """Not set while what goes this way is lost."""
    breakpoints: list[Breakpoint]
    _flows: dict[Direction, _Flow] = field(default_factory=lambda: {direction: _Flow() for direction in Direction})
    _readers: dict[Side, asyncio.Task[None]] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def start(self, upstream: tuple[str, int]) -> asyncio.Task[None]:
        """Begin to carry messages; the task ends when both sides have ended or one was reset."""
        return self._start(self._run(upstream))

    async def _run(self, upstream: tuple[str, int]) -> None:
        self._record(EventKind.OPENED)
        server = self.sockets[Side.SERVER] = socket.socket()
        server.setblocking(False)
        await self.flowing[Direction.TO_SERVER].wait()
        try:
            await asyncio.get_running_loop().sock_connect(server, upstream)
        except OSError:
            self._record(EventKind.REFUSED)
            self.reset()
            return
        for sock in self.sockets.values():
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._readers = {direction.sender: self._start(self._pump(direction)) for direction in Direction}
        await asyncio.wait(self._readers.values())
        self.close()

    def reset(self) -> None:
        """Send RST to both sides."""
        if self.sockets:
            self._record(EventKind.RESET)
        for side in tuple(self.sockets):
            self.sockets[side].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
            self._close_socket(side)
        self._cancel_tasks()

    def close(self) -> None:
        """End the connection in order on both sides; what is held is gone."""
        if self.sockets:
            self._record(EventKind.CLOSED)
        for side in tuple(self.sockets):
            self._close_socket(side)
        self._cancel_tasks()

    def _close_socket(self, side: Side) -> None:
        loop, sock = asyncio.get_running_loop(), self.sockets.pop(side)
        # Before the descriptor is closed, because its number may belong to another socket a moment later.
        loop.remove_reader(sock)
        loop.remove_writer(sock)
        sock.close()
        reader = self._readers.get(side)
        if reader and reader is not asyncio.current_task():
            reader.cancel()

    def _cancel_tasks(self) -> None:
        for task in self._tasks - {asyncio.current_task()}:
            task.cancel()

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _pump(self, direction: Direction) -> None:
        """Read one side until it ends, and pass its messages on."""
        flow, loop = self._flows[direction], asyncio.get_running_loop()
        try:
            while sender := self.sockets.get(direction.sender):
                data = await loop.sock_recv(sender, _CHUNK)
                if not data:
                    break
                # All at once: while one is being written, the protocol may be fed from the other side.
                for message in tuple(self.protocol.feed(direction, data)):
                    await self._arrive(message)
                while flow.waiting >= _BACKLOG:
                    await asyncio.wait(flow.lanes.values(), return_when=asyncio.FIRST_COMPLETED)
            for message in tuple(self.protocol.finish(direction)):
                await self._arrive(message)
        except OSError:
            # The sender was reset: what it sent before still arrives, then the reset does.
            await self._until_idle(direction)
            self.reset()
        except Exception as reason:  # whatever a parser may raise
            self._record(EventKind.NOT_UNDERSTOOD, f"{type(reason).__name__}: {reason}", direction)
            self.reset()
        else:
            if direction.sender not in self.sockets:
                return
            self._record(EventKind.ENDED, f"{direction.sender} ended", direction)
            await self._until_idle(direction)
            if receiver := self.sockets.get(direction.receiver):
                with contextlib.suppress(OSError):
                    receiver.shutdown(socket.SHUT_WR)

    async def _until_idle(self, direction: Direction) -> None:
        while lanes := self._flows[direction].lanes:
            await asyncio.wait(lanes.values())
        await self.flowing[direction].wait()

    async def _arrive(self, message: Message) -> None:
        flow = self._flows[message.direction]
        ahead = flow.lanes.get(message.lane)
        held = None if ahead else self._stop(message)
        if not ahead and not held:
            await self._pass_on(flow, message, EventKind.PASSED)
            return
        if ahead:
            flow.waiting += len(message.raw)
        lane = object() if message.lane is None else message.lane
        flow.lanes[lane] = self._start(self._in_turn(flow, message, ahead, held))
        flow.lanes[lane].add_done_callback(partial(flow.done, lane))

    def _stop(self, message: Message) -> Held | None:
        if not message.name:
            return None
        for point in self.breakpoints:
            try:
                held = point.take(message, self.number)
            except Exception as reason:  # whatever a test's own condition may raise
                self._record(EventKind.NOT_UNDERSTOOD, f"{point.match}: {type(reason).__name__}: {reason}")
                self.reset()
                return None
            if held:
                return held
        return None

    async def _in_turn(
        self, flow: _Flow, message: Message, ahead: asyncio.Task[None] | None, held: Held | None
    ) -> None:
        """Do with a stopped message what is decided, and pass on another, once the one ahead of it is done with."""
        if ahead:
            await asyncio.wait([ahead])
            flow.waiting -= len(message.raw)
            held = self._stop(message)
        if held:
            await self._settle(flow, held)
        else:
            await self._pass_on(flow, message, EventKind.PASSED)

    async def _settle(self, flow: _Flow, held: Held) -> None:
        message, fate = held.message, EventKind.GONE
        try:
            if not held.decision.done():
                self._record_message(EventKind.HELD, message)
            decision = await held.decision
            if decision.delay:
                self._record_message(EventKind.STALLED, message, f" for {decision.delay:g} s")
                await asyncio.sleep(decision.delay)
            fate = decision.fate
            if fate is EventKind.RELEASED:
                await self._pass_on(flow, message, EventKind.PASSED if held.point.decision else fate)
            else:
                self._record_message(fate, message)
                if fate is EventKind.RESET:
                    self.reset()
        finally:
            held.settle(fate)

    async def _pass_on(self, flow: _Flow, message: Message, kind: EventKind) -> None:
        await self.flowing[message.direction].wait()
        try:
            async with flow.writing:
                if receiver := self.sockets.get(message.direction.receiver):
                    await asyncio.get_running_loop().sock_sendall(receiver, message.wire())
                else:
                    kind = EventKind.LOST
        except OSError:
            self._record_message(EventKind.LOST, message)
            self.reset()
            return
        if message.name:
            self._record_message(kind, message)

    def _record_message(self, kind: EventKind, message: Message, more: str = "") -> None:
        self._record(kind, message.name + more, message.direction, message)

    def _record(
        self, kind: EventKind, label: str = "", direction: Direction | None = None, message: Message | None = None
    ) -> None:
        self.log.add(LinkEvent(self.link, kind, label, direction, self.number, message=message))


@dataclass(eq=False)
class _Flow:
    """What one direction of a connection remembers."""

    lanes: dict[object, asyncio.Task[None]] = field(default_factory=dict)
    """Those with a held message, and the last message of each."""
    waiting: int = 0
    """Bytes behind held messages."""
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def done(self, lane: object, message: asyncio.Task[None]) -> None:
        """Open the lane again if this was its last message."""
        if self.lanes.get(lane) is message:
            del self.lanes[lane]
