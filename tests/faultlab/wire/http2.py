"""HTTP/2 without TLS, as the Restate server speaks it to a service endpoint."""

from __future__ import annotations

from collections.abc import Iterator

import hpack
from hyperframe import frame as frame_types

from .http2_streams import FRAME_HEAD, LIMIT, Http2Stream, Invocation, StreamMessage, data_frames, header_frames
from .messages import Direction, Message, NotUnderstoodError, WireProtocol
from .restate import MessageReader

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_NEVER = 2**31 - 1  # the last stream of a GOAWAY that only announces the end


class Http2Protocol(WireProtocol):
    """Follows one connection: its streams, and on those that invoke a handler the messages of Restate's protocol."""

    def __init__(self) -> None:
        self._unread = {direction: bytearray() for direction in Direction}
        self._greeted = False
        self._header_blocks: dict[Direction, frame_types.HeadersFrame] = {}
        self._decoders = {direction: hpack.Decoder() for direction in Direction}
        for decoder in self._decoders.values():
            decoder.max_allowed_table_size = 2**24  # what is allowed is between the two others
        self._streams: dict[int, Http2Stream] = {}
        self._numbers: dict[int, int] = {}

    def feed(self, direction: Direction, data: bytes) -> Iterator[Message]:
        """Yield pieces of streams, and frames that concern the whole connection."""
        unread = self._unread[direction]
        unread += data
        if direction is Direction.TO_SERVER and not self._greeted:
            if not _PREFACE.startswith(unread[: len(_PREFACE)]):
                raise NotUnderstoodError("this is not HTTP/2 with prior knowledge, or it is encrypted")
            if len(unread) < len(_PREFACE):
                return
            self._greeted = True
            del unread[: len(_PREFACE)]
            yield Message(raw=_PREFACE, direction=direction, lane=None)
        while len(unread) >= FRAME_HEAD:
            frame, length = frame_types.Frame.parse_frame_header(memoryview(bytes(unread[:FRAME_HEAD])))
            if len(unread) < FRAME_HEAD + length:
                return
            raw = bytes(unread[: FRAME_HEAD + length])
            del unread[: FRAME_HEAD + length]
            frame.parse_body(memoryview(raw)[FRAME_HEAD:])
            yield from self._frame(direction, frame, raw)

    def finish(self, direction: Direction) -> Iterator[Message]:
        """Yield the invocations that will not be completed."""
        if direction is Direction.TO_SERVER:
            for stream in self._streams.values():
                yield from self._close_opening(stream)

    def _frame(self, direction: Direction, frame: frame_types.Frame, raw: bytes) -> Iterator[Message]:
        stream = self._streams.get(self._number(direction, frame))
        match frame:
            case frame_types.PushPromiseFrame():
                raise NotUnderstoodError("the server pushes")
            case frame_types.PriorityFrame():
                pass  # deprecated, advisory, and full of numbers that would have to be changed
            case frame_types.GoAwayFrame():
                if direction is Direction.TO_CLIENT and frame.last_stream_id != _NEVER:
                    served = [mine for theirs, mine in self._numbers.items() if theirs <= frame.last_stream_id]
                    frame.last_stream_id = max(served, default=0)
                yield Message(raw=frame.serialize(), direction=direction, name="GOAWAY", lane=None)
            case frame_types.HeadersFrame() | frame_types.ContinuationFrame():
                if isinstance(frame, frame_types.HeadersFrame):
                    self._header_blocks[direction] = frame
                else:
                    self._header_blocks[direction].data += frame.data
                if "END_HEADERS" in frame.flags:
                    yield from self._headers(direction, self._header_blocks.pop(direction))
            case frame_types.DataFrame() if stream:
                yield from self._data(direction, stream, frame)
            case _ if stream:
                yield from self._other(direction, stream, raw, reset=isinstance(frame, frame_types.RstStreamFrame))
            case _ if frame.stream_id == 0:
                yield Message(raw=raw, direction=direction, lane=None)

    def _number(self, direction: Direction, frame: frame_types.Frame) -> int:
        """Return the client's number of the frame's stream, 0 for one that is unknown."""
        return frame.stream_id if direction is Direction.TO_SERVER else self._numbers.get(frame.stream_id, 0)

    def _other(self, direction: Direction, stream: Http2Stream, raw: bytes, *, reset: bool) -> Iterator[Message]:
        if direction is Direction.TO_SERVER and stream.opening:
            if not reset:
                stream.opening.frames.append(raw)
                return
            yield from self._close_opening(stream)
        if reset:
            del self._streams[stream.number]
        yield StreamMessage(direction=direction, name="RST_STREAM" if reset else "", stream=stream, frames=[raw])

    def _headers(self, direction: Direction, frame: frame_types.HeadersFrame) -> Iterator[Message]:
        headers = tuple(self._decoders[direction].decode(frame.data, raw=True))
        number = self._number(direction, frame)
        opens = number not in self._streams and direction is Direction.TO_SERVER
        stream = self._streams.setdefault(number, Http2Stream(number, self._numbers))
        end = "END_STREAM" in frame.flags
        known = {name: value.decode("latin-1") for name, value in headers}
        frames = header_frames(number, headers, end)
        stream.remember(b"".join(b"%b: %b\r\n" % header for header in headers))
        name = known.get(b":status", "")
        if opens:
            stream.path = known.get(b":path", "")
            name = f"{known.get(b':method', '')} {stream.path}"
            if stream.handler:
                stream.readers = {way: MessageReader(LIMIT) for way in Direction}
                if not end:
                    stream.opening = Invocation(direction=direction, stream=stream, frames=frames, opens=True)
                    return
        yield StreamMessage(direction=direction, name=name, stream=stream, frames=frames, opens=opens)
        if end:
            self._end(direction, stream)

    def _data(self, direction: Direction, stream: Http2Stream, frame: frame_types.DataFrame) -> Iterator[Message]:
        if frame.pad_length:
            raise NotUnderstoodError("padded data")
        stream.remember(frame.data)
        end = "END_STREAM" in frame.flags
        rest = frame.data
        if reader := stream.readers.get(direction):
            for name, raw in reader.feed(frame.data):
                yield from self._restate_message(direction, stream, name, raw)
            if end:
                yield from self._close_opening(stream)
            rest = bytes(reader.rest) if end else b""
        if end or not reader:
            frames = data_frames(stream.number, rest, end)
            yield StreamMessage(direction=direction, stream=stream, frames=frames, body=rest)
        if end:
            self._end(direction, stream)

    def _restate_message(self, direction: Direction, stream: Http2Stream, name: str, raw: bytes) -> Iterator[Message]:
        if direction is Direction.TO_CLIENT or not stream.opening:
            frames = data_frames(stream.number, raw)
            yield StreamMessage(direction=direction, name=name, stream=stream, frames=frames, body=raw[8:])
        elif stream.opening.add(raw):
            yield from self._close_opening(stream)

    def _end(self, direction: Direction, stream: Http2Stream) -> None:
        """Forget a stream that both sides have ended. A held message keeps its own reference to it."""
        stream.ended.add(direction)
        if len(stream.ended) == len(Direction):
            self._streams.pop(stream.number, None)

    def _close_opening(self, stream: Http2Stream) -> Iterator[Message]:
        if opening := stream.opening:
            stream.opening = None
            yield opening.whole()
