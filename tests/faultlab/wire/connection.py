"""One proxied connection: two streams of messages, each message passed on, held back or lost."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import InitVar, dataclass, field
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
    client: InitVar[socket.socket]
    protocol: WireProtocol
    log: EventLog
    flowing: asyncio.Event
    """Not set while the link is a black hole."""
    breakpoints: list[Breakpoint]
    _sockets: dict[Side, socket.socket] = field(init=False)
    _flows: dict[Direction, _Flow] = field(init=False)
    _tasks: set[asyncio.Task[None]] = field(init=False, default_factory=set)

    def __post_init__(self, client: socket.socket) -> None:
        self._sockets = {Side.CLIENT: client}
        self._flows = {direction: _Flow() for direction in Direction}

    async def run(self, upstream: tuple[str, int]) -> None:
        """Carry messages until both sides have ended or one was reset."""
        self._record(EventKind.OPENED)
        with contextlib.ExitStack() as unless_connected:
            server = unless_connected.enter_context(socket.socket())
            server.setblocking(False)
            await self.flowing.wait()
            try:
                await asyncio.get_running_loop().sock_connect(server, upstream)
            except OSError:
                self._record(EventKind.REFUSED)
                self.reset()
            if not self._sockets:  # reset, then or meanwhile
                return
            unless_connected.pop_all()
        self._sockets[Side.SERVER] = server
        for sock in self._sockets.values():
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.wait([self._start(self._pump(direction)) for direction in Direction])
        self.close()

    def reset(self, toward: Side | None = None) -> None:
        """Send RST to one side or both. A side that is left keeps its connection and hears nothing more."""
        sides = tuple(self._sockets) if toward is None else (toward,)
        if any(side in self._sockets for side in sides):
            self._record(EventKind.RESET, f"reset toward {toward}" if toward else "")
        for side in sides:
            if side in self._sockets:
                self._sockets[side].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
                self._close_socket(side)
        if not self._sockets:
            self._cancel_tasks()

    def close(self) -> None:
        """End the connection in order on both sides; what is held is gone."""
        if self._sockets:
            self._record(EventKind.CLOSED)
        for side in tuple(self._sockets):
            self._close_socket(side)
        self._cancel_tasks()

    def _close_socket(self, side: Side) -> None:
        loop, sock = asyncio.get_running_loop(), self._sockets.pop(side)
        # Before the descriptor is closed, because its number may belong to another socket a moment later.
        loop.remove_reader(sock)
        loop.remove_writer(sock)
        sock.close()
        reader = self._flows[Direction.TO_SERVER if side is Side.CLIENT else Direction.TO_CLIENT].reader
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
        flow.reader = asyncio.current_task()
        try:
            while sender := self._sockets.get(direction.sender):
                data = await loop.sock_recv(sender, _CHUNK)
                if not data:
                    break
                # All at once: while one is being written, the protocol may be fed from the other side.
                for message in tuple(self.protocol.feed(direction, data)):
                    await self._arrive(message)
                await flow.until(lambda: flow.waiting < _BACKLOG)
            for message in tuple(self.protocol.finish(direction)):
                await self._arrive(message)
        except OSError:
            # The sender was reset: what it sent before still arrives, then the reset does.
            await self._until_idle(flow)
            self.reset()
        except Exception as reason:  # whatever a parser may raise
            self._record(EventKind.NOT_UNDERSTOOD, f"{type(reason).__name__}: {reason}", direction)
            self.reset()
        else:
            if direction.sender not in self._sockets:
                return
            self._record(EventKind.ENDED, f"{direction.sender} ended", direction)
            await self._until_idle(flow)
            if receiver := self._sockets.get(direction.receiver):
                with contextlib.suppress(OSError):
                    receiver.shutdown(socket.SHUT_WR)

    async def _until_idle(self, flow: _Flow) -> None:
        await flow.until(lambda: not flow.lanes)
        await self.flowing.wait()

    async def _arrive(self, message: Message) -> None:
        flow, lane = self._flows[message.direction], message.lane
        if lane in flow.lanes:
            flow.lanes[lane].append(message)
            flow.waiting += len(message.raw)
        elif held := self._stop(message):
            key = object() if lane is None else lane
            flow.lanes[key] = deque()
            self._start(self._hold_lane(flow, key, held))
        else:
            await self._pass_on(flow, message, EventKind.PASSED)

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

    async def _hold_lane(self, flow: _Flow, lane: object, held: Held | None) -> None:
        """Do with a stopped message what is decided, then let the others of its lane follow."""
        queue = flow.lanes[lane]
        while held:
            await self._settle(flow, held)
            held = None
            while queue and held is None:
                message = queue.popleft()
                flow.waiting -= len(message.raw)
                flow.moved()
                if (held := self._stop(message)) is None:
                    await self._pass_on(flow, message, EventKind.PASSED)
        del flow.lanes[lane]
        flow.moved()

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
                    self.reset(decision.toward)
        finally:
            held.settle(fate)

    async def _pass_on(self, flow: _Flow, message: Message, kind: EventKind) -> None:
        await self.flowing.wait()
        try:
            async with flow.writing:
                if receiver := self._sockets.get(message.direction.receiver):
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
    """What one direction of a connection remembers: its lanes with a held message, and what waits behind those."""

    lanes: dict[object, deque[Message]] = field(default_factory=dict)
    waiting: int = 0
    """In bytes."""
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    reader: asyncio.Task[None] | None = None
    _moved: asyncio.Event = field(default_factory=asyncio.Event)

    def moved(self) -> None:
        """Let those look again who wait for room or for silence."""
        self._moved.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds."""
        while not condition():
            self._moved.clear()
            await self._moved.wait()
