"""HTTP/2 streams and the messages on them: what a test sees of a request to a service endpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import hpack
from hyperframe.frame import ContinuationFrame, DataFrame, Frame, HeadersFrame

from .messages import Direction, Marker, Message, as_bytes, begins_with
from .restate import MessageReader, known_entries

LIMIT = 16 * 1024  # bytes kept together: well below the smallest window, or the sender would wait for us for ever
_REMEMBERED = 64 * 1024  # bytes of a stream in which markers are looked for
FRAME_HEAD = 9  # bytes before the body of a frame
_MAX_FRAME = 16384  # bytes that every receiver must accept


@dataclass(slots=True, eq=False)
class Http2Stream:
    """One request and its answer; its number is the client's.

    Toward the server the streams of a connection are numbered anew, in the order in which they get there: a number
    must be higher than all before it, so a request that overtook a held one would otherwise close the held one's
    stream for good.
    """

    number: int
    numbers: dict[int, int]
    """The connection's: from the server's number of a stream to the client's."""
    server_number: int = 0
    """0 as long as the server has not heard of it."""
    path: str = ""
    seen: bytearray = field(default_factory=bytearray)
    readers: dict[Direction, MessageReader] = field(default_factory=dict)
    opening: Invocation | None = None
    """An invocation that is still coming in."""
    ended: set[Direction] = field(default_factory=set)

    @property
    def handler(self) -> str:
        """Service and handler, if the stream is an invocation: `TodoService/add_todo`."""
        parts = self.path.split("?")[0].rsplit("/", 3)
        return "/".join(parts[-2:]) if len(parts) == 4 and parts[1] == "invoke" else ""

    def remember(self, data: bytes) -> None:
        """Keep what the stream has carried, for markers."""
        self.seen += data[: max(0, _REMEMBERED - len(self.seen))]


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
    seen: int = 0
    """How much the stream had carried when this message came."""

    def __post_init__(self) -> None:
        self.lane = self.stream.number
        self.seen = len(self.stream.seen)
        self.raw = b"".join(self.frames)

    def wire(self) -> bytes:
        """Return the frames with the receiver's number of the stream; none where it never heard of the stream."""
        stream = self.stream
        if self.opens:
            stream.server_number = 2 * len(stream.numbers) + 1
            stream.numbers[stream.server_number] = stream.number
        number = stream.number if self.direction is Direction.TO_CLIENT else stream.server_number
        encoded = number.to_bytes(4)
        return b"".join(frame[:5] + encoded + frame[FRAME_HEAD:] for frame in self.frames if number)

    def mentions(self, marker: Marker) -> bool:
        """Whether the marker occurs in what the stream had carried when this message came."""
        return as_bytes(marker) in self.context()

    def context(self) -> bytes:
        """Return what the stream had carried when this message came."""
        return bytes(self.stream.seen[: self.seen])


@dataclass(slots=True, kw_only=True, eq=False)
class Invocation(StreamMessage):
    """A request to run a handler: request head, start message and the journal known so far, whole and as one piece.

    `entries` is the number of journal entries sent along: 1 is the input alone, more means a repetition.
    """

    entries: int = -1  # the start message is none
    expected: int = 0

    @property
    def handler(self) -> str:
        """Service and handler."""
        return self.stream.handler

    def is_called(self, name: str) -> bool:
        """By `invoke`, `invoke TodoService`, `invoke TodoService/add_todo` or `POST /invoke/…`."""
        return begins_with(self.name, name) or begins_with(f"POST {self.stream.path}", name)

    def add(self, raw: bytes) -> bool:
        """Take in the next message of Restate; return whether that was the last, or all that can be kept together."""
        if not self.body:
            self.expected = known_entries(raw[8:])
        self.body += raw
        self.entries += 1
        return self.entries >= self.expected or len(self.body) > LIMIT

    def whole(self) -> Self:
        """Return it as it is to be passed on, with what it has taken in."""
        self.name = f"invoke {self.handler}"
        if self.body:
            self.frames += data_frames(self.stream.number, self.body)
        self.entries = max(self.entries, 0)
        self.__post_init__()
        return self


def header_frames(stream: int, headers: Sequence[tuple[bytes, bytes]], end_stream: bool) -> list[bytes]:
    """Return a header block that no other depends on.

    Header blocks as they came share a compression table and so must arrive in the order in which they were made: one
    stream's could not be held back while another's passes. Those made here use no table, at the price of some bytes.
    """
    encoder = hpack.Encoder()
    encoder.header_table_size = 0
    first, *others = _pieces(encoder.encode(headers))
    frames: list[Frame] = [HeadersFrame(stream, first, flags=["END_STREAM"] if end_stream else [])]
    frames += [ContinuationFrame(stream, piece) for piece in others]
    frames[-1].flags.add("END_HEADERS")
    return [frame.serialize() for frame in frames]


def data_frames(stream: int, data: bytes, end_stream: bool = False) -> list[bytes]:
    """Return data in frames of the size that everybody accepts; flow control counts bytes, not frames."""
    frames = [DataFrame(stream, piece) for piece in _pieces(data)]
    if end_stream:
        frames[-1].flags.add("END_STREAM")
    return [frame.serialize() for frame in frames]


def _pieces(data: bytes) -> list[bytes]:
    return [data[at : at + _MAX_FRAME] for at in range(0, len(data), _MAX_FRAME)] or [b""]
