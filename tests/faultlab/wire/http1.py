"""HTTP/1.1: requests and responses, each as one piece. h11 finds their limits, the bytes stay as they came.

Because a message is passed on when it is complete, a response that never ends would arrive in parts of a megabyte.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import h11

from .messages import Direction, Marker, Message, NotUnderstoodError, Protocol, as_bytes, begins_with

_LIMIT = 1024 * 1024  # bytes of a message that are kept together; what is longer passes in parts after the first


@dataclass(slots=True, kw_only=True, eq=False)
class HttpRequest(Message):
    """A request with its body (of a very long one, the beginning). Header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(slots=True, kw_only=True, eq=False)
class HttpResponse(Message):
    """A response with its body (of a very long one, the beginning), and the request that it answers."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    request: HttpRequest

    def is_called(self, name: str) -> bool:
        """By the request that it answers, or by its status."""
        return self.request.is_called(name) or begins_with(self.name, name)

    def mentions(self, marker: Marker) -> bool:
        """Whether the marker occurs in the response or in its request."""
        return as_bytes(marker) in self.raw or self.request.mentions(marker)


@dataclass(slots=True)
class _Stream:
    """One direction: what h11 has read of the current message, and the bytes that this was."""

    parser: h11.Connection
    raw: bytearray = field(default_factory=bytearray)
    body: bytearray = field(default_factory=bytearray)
    head: h11.Request | h11.Response | None = None
    passing: bool = False  # the beginning of a long message has been passed on


class Http1Protocol(Protocol):
    """Follows one connection with two of h11's state machines, which tell each other what they read."""

    def __init__(self) -> None:
        # Each plays the receiver of one direction.
        self._streams = {
            Direction.TO_SERVER: _Stream(h11.Connection(h11.SERVER)),
            Direction.TO_CLIENT: _Stream(h11.Connection(h11.CLIENT)),
        }
        self._unanswered: deque[HttpRequest] = deque()

    def feed(self, direction: Direction, data: bytes) -> Iterator[Message]:
        """Yield a request or response when its last byte is there."""
        self._streams[direction].parser.receive_data(data)
        yield from self._read(direction)

    def finish(self, direction: Direction) -> Iterator[Message]:
        """Yield a response that ends with its connection, and what was left unfinished."""
        stream = self._streams[direction]
        try:
            stream.parser.receive_data(b"")
            yield from self._read(direction)
        except h11.RemoteProtocolError:
            # The sender stopped in the middle. What it had sent still goes on its way.
            rest = bytes(stream.raw) + stream.parser.trailing_data[0]
            yield Message(raw=rest, direction=direction, name="an unfinished message")

    def _read(self, direction: Direction) -> Iterator[Message]:
        stream = self._streams[direction]
        other = self._streams[Direction.TO_CLIENT if direction is Direction.TO_SERVER else Direction.TO_SERVER]
        while True:
            before = stream.parser.trailing_data[0]
            event = stream.parser.next_event()
            after = len(stream.parser.trailing_data[0])
            stream.raw += before[: len(before) - after]
            if event in (h11.NEED_DATA, h11.PAUSED) or isinstance(event, h11.ConnectionClosed):
                if len(stream.raw) > _LIMIT or stream.passing:
                    yield from self._part(direction)
                return
            if isinstance(event, h11.Request | h11.Response):
                stream.head = event
            other.parser.send(event)  # type: ignore[arg-type]  # narrowed above
            if isinstance(event, h11.Data):
                stream.body += event.data
                continue
            if isinstance(event, h11.Request) and (b"expect", b"100-continue") in event.headers:
                # The body comes only when the server has seen the head.
                yield Message(raw=bytes(stream.raw), direction=direction, name="Expect: 100-continue")
                stream.raw.clear()
            elif isinstance(event, h11.InformationalResponse):
                if event.status_code == 101:
                    raise NotUnderstoodError("the connection leaves HTTP/1.1")
                yield Message(raw=bytes(stream.raw), direction=direction, name=str(event.status_code))
                stream.raw.clear()
            elif isinstance(event, h11.EndOfMessage):
                yield from self._part(direction)
                stream.passing, stream.head = False, None
                if stream.parser.our_state is stream.parser.their_state is h11.DONE:
                    for each in self._streams.values():
                        each.parser.start_next_cycle()
                    if self._streams[Direction.TO_SERVER].parser.trailing_data[0]:
                        yield from self._read(Direction.TO_SERVER)  # a pipelined request had to wait

    def _part(self, direction: Direction) -> Iterator[Message]:
        """Yield the message read so far, or its next part."""
        stream = self._streams[direction]
        raw, body, head = bytes(stream.raw), bytes(stream.body), stream.head
        stream.raw.clear()
        stream.body.clear()
        if stream.passing or head is None:
            if raw:
                yield Message(raw=raw, direction=direction)
            return
        stream.passing = True
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in head.headers}
        if isinstance(head, h11.Request):
            method, path = head.method.decode("latin-1"), head.target.decode("latin-1")
            name = f"{method} {path}"
            request = HttpRequest(
                raw=raw, direction=direction, name=name, method=method, path=path, headers=headers, body=body
            )
            self._unanswered.append(request)
            yield request
        else:
            if not self._unanswered:  # the server does not want to read the request to its end
                yield from self._part(Direction.TO_SERVER)
            yield HttpResponse(
                raw=raw,
                direction=direction,
                name=str(head.status_code),
                status=head.status_code,
                headers=headers,
                body=body,
                request=self._unanswered.popleft(),
            )
