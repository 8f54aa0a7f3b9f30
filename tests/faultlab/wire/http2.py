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
from .http2_streams import Invocation, Numbers, Opening, Stream, StreamMessage
from .messages import Direction, Message, NotUnderstoodError, Protocol
from .restate import MessageReader, known_entries

_REMEMBERED = 64 * 1024  # bytes of a stream in which markers are looked for
_LIMIT = 16 * 1024  # bytes kept together: well below the smallest window, or the sender would wait for us for ever
_NEVER = 2**31 - 1  # the last stream of a GOAWAY that only announces the end


class Http2Protocol(Protocol):
    """Follows one connection: its streams, and on those that invoke a handler the messages of Restate's protocol."""

    def __init__(self) -> None:
        self._buffers = {direction: bytearray() for direction in Direction}
        self._greeted = False
        self._blocks: dict[Direction, tuple[HeadersFrame, bytearray] | None] = dict.fromkeys(Direction)
        self._decoders = {direction: hpack.Decoder() for direction in Direction}
        for decoder in self._decoders.values():
            decoder.max_allowed_table_size = 2**24  # what is allowed is between the two others
        self._streams: dict[int, Stream] = {}
        self._ids = Numbers()

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
        """Yield the openings that will not be completed."""
        if direction is Direction.TO_SERVER:
            for stream in self._streams.values():
                yield from self._close_opening(stream)

    def _frame(self, direction: Direction, frame: Frame, raw: bytes) -> Iterator[Message]:
        if isinstance(frame, PushPromiseFrame):
            raise NotUnderstoodError("the server pushes")
        if isinstance(frame, GoAwayFrame):
            yield self._go_away(direction, frame)
        elif frame.stream_id == 0:
            yield Message(raw=raw, direction=direction, lane=None)
        elif isinstance(frame, PriorityFrame):
            return  # deprecated, advisory, and full of numbers that would have to be changed
        elif isinstance(frame, HeadersFrame):
            self._blocks[direction] = frame, bytearray(frame.data)
            if "END_HEADERS" in frame.flags:
                yield from self._header_block(direction)
        elif isinstance(frame, ContinuationFrame):
            if begun := self._blocks[direction]:
                begun[1].extend(frame.data)
            if "END_HEADERS" in frame.flags:
                yield from self._header_block(direction)
        elif stream := self._streams.get(self._number(direction, frame.stream_id)):
            if isinstance(frame, DataFrame):
                yield from self._data(direction, stream, frame)
            else:
                reset = isinstance(frame, RstStreamFrame)
                if direction is Direction.TO_SERVER and stream.opening:
                    if not reset:
                        stream.opening.frames.append(raw)
                        return
                    yield from self._close_opening(stream)
                if reset:
                    del self._streams[stream.number]
                name = "RST_STREAM" if reset else ""
                yield StreamMessage(
                    raw=raw, direction=direction, name=name, lane=stream.number, stream=stream, frames=[raw]
                )

    def _number(self, direction: Direction, stream_id: int) -> int:
        return stream_id if direction is Direction.TO_SERVER else self._ids.to_client.get(stream_id, 0)

    def _go_away(self, direction: Direction, frame: GoAwayFrame) -> Message:
        if direction is Direction.TO_CLIENT and frame.last_stream_id != _NEVER:
            served = [mine for theirs, mine in self._ids.to_client.items() if theirs <= frame.last_stream_id]
            frame.last_stream_id = max(served, default=0)
        return Message(raw=frame.serialize(), direction=direction, name="GOAWAY", lane=None)

    def _header_block(self, direction: Direction) -> Iterator[Message]:
        begun, self._blocks[direction] = self._blocks[direction], None
        if begun is None:
            raise NotUnderstoodError("headers continue that never began")
        frame, block = begun
        headers: Headers = tuple(self._decoders[direction].decode(bytes(block), raw=True))
        number = self._number(direction, frame.stream_id)
        stream = self._streams.get(number)
        end = "END_STREAM" in frame.flags
        opens = stream is None and direction is Direction.TO_SERVER
        if stream is None:
            stream = self._streams[number] = Stream(number, self._ids)
        known = {name: value.decode("latin-1") for name, value in headers}
        frames = header_frames(number, headers, end)
        self._remember(stream, b"".join(b"%b: %b\r\n" % header for header in headers))
        name = known.get(b":status", "")
        if opens:
            stream.method, stream.path, stream.headers = known.get(b":method", ""), known.get(b":path", ""), headers
            name = f"{stream.method} {stream.path}"
            stream.readers = {way: MessageReader(_LIMIT) if stream.handler else None for way in Direction}
            if stream.handler and not end:
                stream.opening = Opening(frames)
                return
        yield self._piece(direction, stream, frames, name, opens=opens)
        if end:
            self._end(direction, stream)

    def _data(self, direction: Direction, stream: Stream, frame: DataFrame) -> Iterator[Message]:
        if frame.pad_length:
            raise NotUnderstoodError("padded data")
        self._remember(stream, frame.data)
        end = "END_STREAM" in frame.flags
        reader = stream.readers.get(direction)
        if reader is None:
            yield self._piece(direction, stream, data_frames(stream.number, frame.data, end), "", frame.data)
            if end:
                self._end(direction, stream)
            return
        for name, raw in reader.feed(frame.data):
            opening = stream.opening if direction is Direction.TO_SERVER else None
            if opening is None:
                yield self._piece(direction, stream, data_frames(stream.number, raw), name, raw[8:])
                continue
            opening.body += raw
            opening.messages += 1
            if opening.expected is None:
                opening.expected = 1 + known_entries(raw[8:])
            if opening.messages >= opening.expected or len(opening.body) > _LIMIT:
                yield from self._close_opening(stream)
        if end:
            yield from self._close_opening(stream)
            yield self._piece(direction, stream, data_frames(stream.number, reader.rest(), True), "")
            self._end(direction, stream)

    def _end(self, direction: Direction, stream: Stream) -> None:
        """Forget a stream that both sides have ended; what is held of it knows it."""
        stream.ended.add(direction)
        if len(stream.ended) == len(Direction):
            self._streams.pop(stream.number, None)

    def _close_opening(self, stream: Stream) -> Iterator[Message]:
        if (opening := stream.opening) is None:
            return
        stream.opening = None
        frames = opening.frames + (data_frames(stream.number, bytes(opening.body)) if opening.body else [])
        yield Invocation(
            raw=b"".join(frames),
            direction=Direction.TO_SERVER,
            name=f"invoke {stream.handler}",
            lane=stream.number,
            stream=stream,
            frames=frames,
            body=bytes(opening.body),
            opens=True,
            seen=bytes(stream.seen),
            handler=stream.handler,
            entries=max(opening.messages - 1, 0),
        )

    def _piece(
        self,
        direction: Direction,
        stream: Stream,
        frames: list[bytes],
        name: str,
        body: bytes = b"",
        opens: bool = False,
    ) -> StreamMessage:
        return StreamMessage(
            raw=b"".join(frames),
            direction=direction,
            name=name,
            lane=stream.number,
            stream=stream,
            frames=frames,
            body=body,
            opens=opens,
            seen=bytes(stream.seen) if name else b"",
        )

    def _remember(self, stream: Stream, data: bytes) -> None:
        stream.seen += data[: max(0, _REMEMBERED - len(stream.seen))]
