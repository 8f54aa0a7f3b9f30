"""HTTP/2 without TLS, as the Restate server speaks it to a service endpoint."""

from __future__ import annotations

from collections.abc import Iterator

import hpack
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PriorityFrame,
    PushPromiseFrame,
    RstStreamFrame,
)

from .http2_frames import PREFACE, Headers, cut_frame, data_frames, header_frames
from .http2_streams import Http2Stream, IncomingInvocation, StreamMessage, StreamNumbers
from .messages import Direction, Message, NotUnderstoodError, WireProtocol
from .restate import MessageReader, known_entries

_REMEMBERED = 64 * 1024  # bytes of a stream in which markers are looked for
_LIMIT = 16 * 1024  # bytes kept together: well below the smallest window, or the sender would wait for us for ever
_NEVER = 2**31 - 1  # the last stream of a GOAWAY that only announces the end


class Http2Protocol(WireProtocol):
    """Follows one connection: its streams, and on those that invoke a handler the messages of Restate's protocol."""

    def __init__(self) -> None:
        self._buffers = {direction: bytearray() for direction in Direction}
        self._greeted = False
        self._header_blocks: dict[Direction, HeadersFrame] = {}
        self._decoders = {direction: hpack.Decoder() for direction in Direction}
        for decoder in self._decoders.values():
            decoder.max_allowed_table_size = 2**24  # what is allowed is between the two others
        self._streams: dict[int, Http2Stream] = {}
        self._numbers = StreamNumbers()

    def feed(self, direction: Direction, data: bytes) -> Iterator[Message]:
        """Yield pieces of streams, and frames that concern the whole connection."""
        buffer = self._buffers[direction]
        buffer += data
        if direction is Direction.TO_SERVER and not self._greeted:
            if not PREFACE.startswith(buffer[: len(PREFACE)]):
                raise NotUnderstoodError("this is not HTTP/2 with prior knowledge, or it is encrypted")
            if len(buffer) < len(PREFACE):
                return
            self._greeted = True
            del buffer[: len(PREFACE)]
            yield Message(raw=PREFACE, direction=direction, lane=None)
        while cut := cut_frame(buffer):
            yield from self._frame(direction, *cut)

    def finish(self, direction: Direction) -> Iterator[Message]:
        """Yield the invocations that will not be completed."""
        if direction is Direction.TO_SERVER:
            for stream in self._streams.values():
                yield from self._close_opening(stream)

    def _frame(self, direction: Direction, frame: Frame, raw: bytes) -> Iterator[Message]:
        if isinstance(frame, PushPromiseFrame):
            raise NotUnderstoodError("the server pushes")
        if isinstance(frame, PriorityFrame):
            return  # deprecated, advisory, and full of numbers that would have to be changed
        if isinstance(frame, GoAwayFrame):
            yield self._go_away(direction, frame)
        elif frame.stream_id == 0:
            yield Message(raw=raw, direction=direction, lane=None)
        elif isinstance(frame, HeadersFrame | ContinuationFrame):
            if isinstance(frame, HeadersFrame):
                self._header_blocks[direction] = frame
            elif begun := self._header_blocks.get(direction):
                begun.data += frame.data
            else:
                raise NotUnderstoodError("headers continue that never began")
            if "END_HEADERS" in frame.flags:
                yield from self._headers(direction, self._header_blocks.pop(direction))
        elif stream := self._streams.get(self._number(direction, frame.stream_id)):
            if isinstance(frame, DataFrame):
                yield from self._data(direction, stream, frame)
            else:
                yield from self._other(direction, stream, frame, raw)

    def _number(self, direction: Direction, stream_id: int) -> int:
        return stream_id if direction is Direction.TO_SERVER else self._numbers.to_client.get(stream_id, 0)

    def _go_away(self, direction: Direction, frame: GoAwayFrame) -> Message:
        if direction is Direction.TO_CLIENT and frame.last_stream_id != _NEVER:
            served = [mine for theirs, mine in self._numbers.to_client.items() if theirs <= frame.last_stream_id]
            frame.last_stream_id = max(served, default=0)
        return Message(raw=frame.serialize(), direction=direction, name="GOAWAY", lane=None)

    def _other(self, direction: Direction, stream: Http2Stream, frame: Frame, raw: bytes) -> Iterator[Message]:
        reset = isinstance(frame, RstStreamFrame)
        if direction is Direction.TO_SERVER and stream.opening:
            if not reset:
                stream.opening.frames.append(raw)
                return
            yield from self._close_opening(stream)
        if reset:
            del self._streams[stream.number]
        yield StreamMessage(direction=direction, name="RST_STREAM" if reset else "", stream=stream, frames=[raw])

    def _headers(self, direction: Direction, frame: HeadersFrame) -> Iterator[Message]:
        headers: Headers = tuple(self._decoders[direction].decode(frame.data, raw=True))
        number = self._number(direction, frame.stream_id)
        opens = number not in self._streams and direction is Direction.TO_SERVER
        stream = self._streams.setdefault(number, Http2Stream(number, self._numbers))
        end = "END_STREAM" in frame.flags
        known = {name: value.decode("latin-1") for name, value in headers}
        frames = header_frames(number, headers, end)
        _remember(stream, b"".join(b"%b: %b\r\n" % header for header in headers))
        name = known.get(b":status", "")
        if opens:
            stream.method, stream.path = known.get(b":method", ""), known.get(b":path", "")
            name = f"{stream.method} {stream.path}"
            if stream.handler:
                stream.readers = {way: MessageReader(_LIMIT) for way in Direction}
                if not end:
                    stream.opening = IncomingInvocation(frames)
                    return
        yield StreamMessage(direction=direction, name=name, stream=stream, frames=frames, opens=opens)
        if end:
            self._end(direction, stream)

    def _data(self, direction: Direction, stream: Http2Stream, frame: DataFrame) -> Iterator[Message]:
        if frame.pad_length:
            raise NotUnderstoodError("padded data")
        _remember(stream, frame.data)
        end = "END_STREAM" in frame.flags
        rest = frame.data
        if reader := stream.readers.get(direction):
            for name, raw in reader.feed(frame.data):
                yield from self._restate_message(direction, stream, name, raw)
            if end:
                yield from self._close_opening(stream)
            rest = reader.rest() if end else b""
        if end or not reader:
            frames = data_frames(stream.number, rest, end)
            yield StreamMessage(direction=direction, stream=stream, frames=frames, body=rest)
        if end:
            self._end(direction, stream)

    def _restate_message(self, direction: Direction, stream: Http2Stream, name: str, raw: bytes) -> Iterator[Message]:
        opening = stream.opening if direction is Direction.TO_SERVER else None
        if opening is None:
            frames = data_frames(stream.number, raw)
            yield StreamMessage(direction=direction, name=name, stream=stream, frames=frames, body=raw[8:])
            return
        opening.body += raw
        opening.messages += 1
        if opening.expected is None:
            opening.expected = 1 + known_entries(raw[8:])
        if opening.messages >= opening.expected or len(opening.body) > _LIMIT:
            yield from self._close_opening(stream)

    def _end(self, direction: Direction, stream: Http2Stream) -> None:
        """Forget a stream that both sides have ended; what is held of it knows it."""
        stream.ended.add(direction)
        if len(stream.ended) == len(Direction):
            self._streams.pop(stream.number, None)

    def _close_opening(self, stream: Http2Stream) -> Iterator[Message]:
        if opening := stream.opening:
            stream.opening = None
            yield opening.close(stream)


def _remember(stream: Http2Stream, data: bytes) -> None:
    stream.seen += data[: max(0, _REMEMBERED - len(stream.seen))]
