"""HTTP/2 streams and the messages on them: what a test sees of a request to a service endpoint."""

from __future__ import annotations

from dataclasses import dataclass, field

from .http2_frames import data_frames, renumbered
from .messages import Direction, Marker, Message, as_bytes, begins_with
from .restate import MessageReader


@dataclass(slots=True, eq=False)
class Http2Stream:
    """One request and its answer; its number is the client's."""

    number: int
    numbers: StreamNumbers
    method: str = ""
    path: str = ""
    seen: bytearray = field(default_factory=bytearray)
    readers: dict[Direction, MessageReader] = field(default_factory=dict)
    opening: IncomingInvocation | None = None
    ended: set[Direction] = field(default_factory=set)

    @property
    def handler(self) -> str:
        """Service and handler, if the stream is an invocation: `TodoService/add_todo`."""
        parts = self.path.split("?")[0].rsplit("/", 3)
        return "/".join(parts[-2:]) if len(parts) == 4 and parts[1] == "invoke" else ""


@dataclass(slots=True, kw_only=True, eq=False)
class StreamMessage(Message):
    """A piece of one stream.

    `name` is the type of a Restate message, the status of a response or what a request asks for; `body` the Restate
    message without its head, or the data. A marker is looked for in all that the stream has carried up to here, both
    ways, so that a step's result can be found by the request that it belongs to.
    """

    raw: bytes = b""
    stream: Http2Stream
    frames: list[bytes]
    body: bytes = b""
    opens: bool = False
    seen: bytes = b""

    def __post_init__(self) -> None:
        self.raw = b"".join(self.frames)
        self.lane = self.stream.number
        if self.name:
            self.seen = bytes(self.stream.seen)

    def wire(self) -> bytes:
        """Return the frames with the number by which the receiver knows the stream."""
        return self.stream.numbers.render(self)

    def mentions(self, marker: Marker) -> bool:
        """Whether the marker occurs in what the stream had carried when this message came."""
        return as_bytes(marker) in self.seen


@dataclass(slots=True, kw_only=True, eq=False)
class Invocation(StreamMessage):
    """A request to run a handler: request head, start message and the journal known so far, whole and as one piece.

    `entries` is the number of journal entries sent along: 1 is the input alone, more means a repetition.
    """

    handler: str
    entries: int

    def is_called(self, name: str) -> bool:
        """By `invoke`, `invoke TodoService`, `invoke TodoService/add_todo` or `POST /invoke/…`."""
        return begins_with(self.name, name) or begins_with(f"POST {self.stream.path}", name)


@dataclass(slots=True)
class IncomingInvocation:
    """An invocation's request while it is still coming in."""

    frames: list[bytes]
    body: bytearray = field(default_factory=bytearray)
    messages: int = 0
    expected: int | None = None

    def close(self, stream: Http2Stream) -> Invocation:
        """Return what has come as one message."""
        return Invocation(
            direction=Direction.TO_SERVER,
            name=f"invoke {stream.handler}",
            stream=stream,
            frames=self.frames + (data_frames(stream.number, bytes(self.body)) if self.body else []),
            body=bytes(self.body),
            opens=True,
            handler=stream.handler,
            entries=max(self.messages - 1, 0),
        )


class StreamNumbers:
    """Numbers streams anew toward the server, in the order in which they get there.

    A stream's number must be higher than all before it: a request that overtook a held one would otherwise close the
    held one's stream for good.
    """

    def __init__(self) -> None:
        self._next = 1
        self._to_server: dict[int, int] = {}
        self.to_client: dict[int, int] = {}

    def render(self, message: StreamMessage) -> bytes:
        """Return the message's frames, or nothing where the receiver never heard of the stream."""
        number = message.stream.number
        if message.direction is Direction.TO_CLIENT:
            return renumbered(message.frames, number)
        if message.opens:
            self._to_server[number], self.to_client[self._next] = self._next, number
            self._next += 2
        known = self._to_server.get(number)
        return b"" if known is None else renumbered(message.frames, known)
