"""HTTP/1.1: requests and responses, each as one piece. h11 finds where they end; the bytes stay as they came.

A message is passed on when it is complete; a response that never ends arrives in parts of a megabyte.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import h11

from .messages import Direction, Marker, Message, NotUnderstoodError, WireProtocol, as_bytes, begins_with

_LIMIT = 1024 * 1024  # bytes of a message that are kept together; what is longer passes in parts after the first


@dataclass(slots=True, kw_only=True, eq=False)
class HttpRequest(Message):
    """A request as h11 has read it, with its body (of a very long one, the beginning)."""

    head: h11.Request
    body: bytes


@dataclass(slots=True, kw_only=True, eq=False)
class HttpResponse(Message):
    """A response with its body (of a very long one, the beginning), and the request that it answers."""

    head: h11.Response
    body: bytes
    request: HttpRequest

    def is_called(self, name: str) -> bool:
        """By the request that it answers, or by its status."""
        return self.request.is_called(name) or begins_with(self.name, name)

    def mentions(self, marker: Marker) -> bool:
        """Whether the marker occurs in the response or in its request."""
        return as_bytes(marker) in self.raw or self.request.mentions(marker)

    def context(self) -> bytes:
        """Return the request and the response."""
        return self.request.raw + self.raw


@dataclass(slots=True)
class _Incoming:
    """One direction: what h11 has read of the current message, and the bytes that this was."""

    parser: h11.Connection
    raw: bytearray = field(default_factory=bytearray)
    body: bytearray = field(default_factory=bytearray)
    head: h11.Request | h11.Response | None = None
    """Of the current message, until its beginning is passed on."""


class Http1Protocol(WireProtocol):
    """Follows one connection with two of h11's state machines, which tell each other what they read."""

    def __init__(self) -> None:
        # Each plays the receiver of one direction.
        self._incoming = {
            Direction.TO_SERVER: _Incoming(h11.Connection(h11.SERVER)),
            Direction.TO_CLIENT: _Incoming(h11.Connection(h11.CLIENT)),
        }
        self._unanswered: deque[HttpRequest] = deque()

    def feed(self, direction: Direction, data: bytes) -> Iterator[Message]:
        """Yield a request or response when its last byte is there."""
        self._incoming[direction].parser.receive_data(data)
        yield from self._read(direction)

    def finish(self, direction: Direction) -> Iterator[Message]:
        """Yield a response that ends with its connection, and what was left unfinished."""
        incoming = self._incoming[direction]
        try:
            yield from self.feed(direction, b"")
        except h11.RemoteProtocolError:
            # The sender stopped in the middle. What it had sent still goes on its way.
            rest = bytes(incoming.raw) + incoming.parser.trailing_data[0]
            yield Message(raw=rest, direction=direction, name="an unfinished message")

    def _read(self, direction: Direction) -> Iterator[Message]:
        incoming = self._incoming[direction]
        receiver = self._incoming[Direction.TO_CLIENT if direction is Direction.TO_SERVER else Direction.TO_SERVER]
        while True:
            before = incoming.parser.trailing_data[0]
            event = incoming.parser.next_event()
            incoming.raw += before[: len(before) - len(incoming.parser.trailing_data[0])]
            if event in (h11.NEED_DATA, h11.PAUSED) or isinstance(event, h11.ConnectionClosed):
                if len(incoming.raw) > _LIMIT or incoming.head is None:
                    yield from self._part(direction)
                return
            receiver.parser.send(event)  # type: ignore[arg-type]  # narrowed above
            match event:
                case h11.Data():
                    incoming.body += event.data
                case h11.InformationalResponse(status_code=101):
                    raise NotUnderstoodError("the connection leaves HTTP/1.1")
                case h11.InformationalResponse():
                    yield self._as_it_came(direction, str(event.status_code))
                case h11.Request() | h11.Response():
                    incoming.head = event
                    if isinstance(event, h11.Request) and (b"expect", b"100-continue") in event.headers:
                        # The body comes only when the server has seen the head.
                        yield self._as_it_came(direction, "Expect: 100-continue")
                case h11.EndOfMessage():
                    yield from self._part(direction)
                    if incoming.parser.our_state is incoming.parser.their_state is h11.DONE:
                        for each in self._incoming.values():
                            each.parser.start_next_cycle()
                        if self._incoming[Direction.TO_SERVER].parser.trailing_data[0]:
                            yield from self._read(Direction.TO_SERVER)  # a pipelined request had to wait

    def _as_it_came(self, direction: Direction, name: str = "") -> Message:
        raw = self._incoming[direction].raw
        message = Message(raw=bytes(raw), direction=direction, name=name)
        raw.clear()
        return message

    def _part(self, direction: Direction) -> Iterator[Message]:
        """Yield the message read so far, or its next part."""
        incoming = self._incoming[direction]
        head, body = incoming.head, bytes(incoming.body)
        incoming.head = None
        incoming.body.clear()
        if isinstance(head, h11.Response) and not self._unanswered:
            yield from self._part(Direction.TO_SERVER)  # the server does not want to read the request to its end
        raw = self._as_it_came(direction).raw
        if isinstance(head, h11.Request):
            name = f"{head.method.decode()} {head.target.decode('latin-1')}"
            request = HttpRequest(raw=raw, direction=direction, name=name, head=head, body=body)
            self._unanswered.append(request)
            yield request
        elif head:
            name, request = str(head.status_code), self._unanswered.popleft()
            yield HttpResponse(raw=raw, direction=direction, name=name, head=head, body=body, request=request)
        elif raw:
            yield Message(raw=raw, direction=direction)
