"""HTTP/2 frames (RFC 9113): cutting a byte stream into them, and making those that the proxy must make anew."""

from __future__ import annotations

import hpack
from hyperframe.frame import ContinuationFrame, DataFrame, Frame, HeadersFrame

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD = 9  # bytes before the body of a frame
MAX_FRAME = 16384  # bytes that every receiver must accept

Headers = tuple[tuple[bytes, bytes], ...]


def cut_frame(buffer: bytearray) -> tuple[Frame, bytes] | None:
    """Take the first complete frame off the buffer; return it read and as it came."""
    if len(buffer) < HEAD:
        return None
    frame, length = Frame.parse_frame_header(memoryview(bytes(buffer[:HEAD])))
    if len(buffer) < HEAD + length:
        return None
    raw = bytes(buffer[: HEAD + length])
    del buffer[: HEAD + length]
    frame.parse_body(memoryview(raw)[HEAD:])
    return frame, raw


def header_frames(stream: int, headers: Headers, end_stream: bool) -> list[bytes]:
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


def renumbered(frames: list[bytes], stream: int) -> bytes:
    """Return the frames as those of another stream."""
    number = stream.to_bytes(4)
    return b"".join(part for frame in frames for part in (frame[:5], number, frame[HEAD:]))


def _pieces(data: bytes) -> list[bytes]:
    return [data[at : at + MAX_FRAME] for at in range(0, len(data), MAX_FRAME)] or [b""]
