"""One proxied connection: two streams of messages, each message passed on, held back or lost."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from .breakpoints import Breakpoint, Fate, Held
from .events import Event, EventLog, Kind
from .messages import Direction, Message, Protocol, Side

_CHUNK = 256 * 1024
_BACKLOG = 16 * 1024 * 1024  # bytes that may wait behind a held message before the sender is made to wait
_RST = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: close() sends RST and throws unsent data away


class Connection:
    """Joins a client's socket with a new one to the server."""

    def __init__(
        self,
        link: str,
        number: int,
        client: socket.socket,
        protocol: Protocol,
        *,
        log: EventLog,
        flowing: asyncio.Event,
        breakpoints: list[Breakpoint],
    ) -> None:
        self._link = link
        self._number = number
        self._log = log
        self._protocol = protocol
        self._flowing = flowing
        self._breakpoints = breakpoints
        self._sockets = {Side.CLIENT: client}
        self._flows = {direction: _Flow() for direction in Direction}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, upstream: tuple[str, int]) -> None:
        """Carry messages until both sides have ended or one was reset."""
        self._record(Kind.OPENED)
        _no_delay(self._sockets[Side.CLIENT])
        server = socket.socket()
        server.setblocking(False)
        try:
            await self._flowing.wait()
            await asyncio.get_running_loop().sock_connect(server, upstream)
        except OSError:
            server.close()
            self._record(Kind.REFUSED)
            self.reset()
            return
        except BaseException:
            server.close()
            raise
        if not self._sockets:  # reset while it connected
            server.close()
            return
        _no_delay(server)
        self._sockets[Side.SERVER] = server
        pumps = [self._start(self._pump(direction)) for direction in Direction]
        await asyncio.wait(pumps)
        self.close()

    def reset(self, toward: Side | None = None) -> None:
        """Send RST to one side or both. A side that is left keeps its connection and hears nothing more."""
        sides = tuple(self._sockets) if toward is None else (toward,)
        if any(side in self._sockets for side in sides):
            self._record(Kind.RESET, f"reset toward {toward}" if toward else "")
        for side in sides:
            if side in self._sockets:
                self._sockets[side].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
                self._close_socket(side)
        if not self._sockets:
            self._cancel_tasks()

    def close(self) -> None:
        """End the connection in order on both sides; what is held is gone."""
        if self._sockets:
            self._record(Kind.CLOSED)
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
                for message in tuple(self._protocol.feed(direction, data)):
                    await self._arrive(message)
                await flow.until(lambda: flow.waiting < _BACKLOG)
            for message in tuple(self._protocol.finish(direction)):
                await self._arrive(message)
        except OSError:
            # The sender was reset: what it sent before still arrives, then the reset does.
            await self._until_idle(flow)
            self.reset()
        except Exception as reason:  # whatever a parser may raise
            self._record(Kind.NOT_UNDERSTOOD, f"{type(reason).__name__}: {reason}", direction)
            self.reset()
        else:
            if direction.sender not in self._sockets:
                return
            self._record(Kind.ENDED, f"{direction.sender} ended", direction)
            await self._until_idle(flow)
            if receiver := self._sockets.get(direction.receiver):
                with contextlib.suppress(OSError):
                    receiver.shutdown(socket.SHUT_WR)

    async def _until_idle(self, flow: _Flow) -> None:
        await flow.until(lambda: not flow.lanes)
        await self._flowing.wait()

    async def _arrive(self, message: Message) -> None:
        flow, lane = self._flows[message.direction], message.lane
        if lane is not None and lane in flow.lanes:
            flow.lanes[lane].append(message)
            flow.waiting += len(message.raw)
        elif (hit := self._stop(message)) is None:
            await self._pass_on(flow, message, Kind.PASSED)
        else:
            key = object() if lane is None else lane
            flow.lanes[key] = deque()
            self._start(self._keep(flow, key, *hit))

    def _stop(self, message: Message) -> tuple[Breakpoint, Held] | None:
        if not message.name:
            return None
        for point in self._breakpoints:
            try:
                held = point.take(message, self._number)
            except Exception as reason:  # whatever a test's own condition may raise
                self._record(Kind.NOT_UNDERSTOOD, f"{point.match}: {type(reason).__name__}: {reason}")
                self.reset()
                return None
            if held:
                if point.spent:
                    self._breakpoints.remove(point)
                return point, held
        return None

    async def _keep(self, flow: _Flow, lane: object, point: Breakpoint, held: Held) -> None:
        """Do with a stopped message what is decided, then let the others of its lane follow."""
        queue = flow.lanes[lane]
        while True:
            await self._settle(flow, point, held)
            hit = None
            while queue and hit is None:
                message = queue.popleft()
                flow.waiting -= len(message.raw)
                flow.moved()
                if (hit := self._stop(message)) is None:
                    await self._pass_on(flow, message, Kind.PASSED)
            if hit is None:
                break
            point, held = hit
        del flow.lanes[lane]
        flow.moved()

    async def _settle(self, flow: _Flow, point: Breakpoint, held: Held) -> None:
        message, fate = held.message, Fate.GONE
        try:
            if not held.decision.done():
                self._record(Kind.HELD, message.name, message.direction, message)
            decision = await held.decision
            if decision.delay:
                self._record(Kind.STALLED, f"{message.name} for {decision.delay:g} s", message.direction, message)
                await asyncio.sleep(decision.delay)
            fate = decision.fate
            if fate is Fate.RELEASED:
                await self._pass_on(flow, message, Kind.PASSED if point.decision else Kind.RELEASED)
            else:
                kind = Kind.DROPPED if fate is Fate.DROPPED else Kind.RESET
                self._record(kind, message.name, message.direction, message)
                if fate is Fate.RESET:
                    self.reset(decision.toward)
        finally:
            point.settle(held, fate)

    async def _pass_on(self, flow: _Flow, message: Message, kind: Kind) -> None:
        if not self._flowing.is_set():
            await self._flowing.wait()
        try:
            async with flow.writing:
                receiver = self._sockets.get(message.direction.receiver)
                if receiver is None:
                    kind = Kind.LOST
                else:
                    await asyncio.get_running_loop().sock_sendall(receiver, message.wire())
        except OSError:
            self._record(Kind.LOST, message.name, message.direction, message)
            self.reset()
            return
        if message.name:
            self._record(kind, message.name, message.direction, message)

    def _record(
        self, kind: Kind, label: str = "", direction: Direction | None = None, message: Message | None = None
    ) -> None:
        self._log.add(Event(self._link, kind, label, direction, self._number, message=message))


class _Flow:
    """What one direction of a connection remembers: its lanes with a held message, and what waits behind those."""

    def __init__(self) -> None:
        self.lanes: dict[object, deque[Message]] = {}
        self.waiting = 0  # bytes
        self.writing = asyncio.Lock()
        self.reader: asyncio.Task[None] | None = None
        self._moved = asyncio.Event()

    def moved(self) -> None:
        """Let those look again who wait for room or for silence."""
        self._moved.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds."""
        while not condition():
            self._moved.clear()
            await self._moved.wait()


def _no_delay(sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
