"""Restate's service protocol: messages in the two byte streams of an invocation.

Each has a head of 8 bytes (type, flags, length). Source: service-invocation-protocol.md and protocol.proto of
github.com/restatedev/service-protocol.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator
from itertools import islice

_HEAD = struct.Struct(">HHI")

_NAMES = {
    **dict(enumerate(("Start", "Suspension", "Error", "End", "CommandAck", "ProposeRunCompletion", "AwaitingOn"))),
    0x0007: "ProposeRunCompletionAck",
    0x0400: "InputCommand",
    0x0401: "OutputCommand",
    0x040C: "SleepCommand",
    0x040D: "CallCommand",
    0x040E: "OneWayCallCommand",
    0x0411: "RunCommand",
    0x800C: "SleepCompletionNotification",
    0x800D: "CallCompletionNotification",
    0x800E: "CallInvocationIdCompletionNotification",
    0x8011: "RunCompletionNotification",
    0xFBFF: "SignalNotification",
}


class MessageReader:
    """Cuts one direction of an invocation into messages; of one longer than `limit` bytes, the first part."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.rest = bytearray()  # the beginning of a message that is not complete
        self._to_come = 0  # bytes of the current message

    def feed(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        """Yield name and bytes, head included, of each message. A later part of a long one has no name."""
        buffer = self.rest
        buffer += data
        while buffer:
            name = ""
            if not self._to_come:
                if len(buffer) < _HEAD.size:
                    return
                kind, _, length = _HEAD.unpack_from(buffer)
                if len(buffer) < min(_HEAD.size + length, self._limit):
                    return
                name, self._to_come = _NAMES.get(kind, f"message 0x{kind:04X}"), _HEAD.size + length
            part = bytes(buffer[: self._to_come])
            self._to_come -= len(part)
            del buffer[: len(part)]
            yield name, part


def known_entries(start: bytes) -> int:
    """Return how many journal entries follow a start message (its field 3), given its body."""
    data = iter(start)
    while key := _varint(data):
        value = _varint(data)  # or the length of what follows: the message has no other kinds of field
        if key >> 3 == 3:
            return value
        if key & 7 == 2:
            deque(islice(data, value), maxlen=0)
    return 0


def _varint(data: Iterator[int]) -> int:
    value = 0
    for place, byte in enumerate(data):
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            break
    return value
