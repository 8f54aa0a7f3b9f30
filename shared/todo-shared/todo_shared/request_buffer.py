"""How much of a request has arrived. A proxy would know it before it passes the request on; so does our worker."""

import re
from enum import Enum

MAX_HEAD_BYTES = 64 * 1024
MAX_LINE_BYTES = 4096
# Our server's reader asks for up to a KiB more than the application does.
_SLACK = 2048

_BARE_LF = re.compile(rb"(?<!\r)\n")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked[ \t]*\r\n", re.IGNORECASE)
_FRAMING = re.compile(rb"\r\n(?:content-length|transfer-encoding)[ \t]*:", re.IGNORECASE)
_CONTINUE = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*(?=\r\n)", re.IGNORECASE)
_CHUNK_SIZE = re.compile(rb"([0-9a-f]{1,15})[ \t]*(?:;[^\r\n]{0,4000})?\r\n", re.IGNORECASE)


class Arrived(Enum):
    """What is here of a request."""

    PART = "more must come"
    WHOLE = "nothing is missing"
    REFUSABLE = "it will be refused, whatever comes"
    HEAD_TOO_LARGE = "431 Request Header Fields Too Large"
    BODY_TOO_LARGE = "413 Content Too Large"


class RequestBuffer:
    """The bytes of a request in the order of their arrival."""

    def __init__(self, max_body_bytes: int) -> None:
        """Take bodies of up to so many bytes."""
        self.max_body_bytes = max_body_bytes
        self.data = bytearray()
        self.wants_continue = False
        """Whether the client waits for "100 Continue" before it sends its body."""
        self._start_again()

    def __bool__(self) -> bool:
        """Whether a request has begun."""
        return bool(self.data)

    def take(self) -> bytes:
        """Return what has arrived, and start again with the next request."""
        data = bytes(self.data)
        self.data.clear()
        self._start_again()
        return data

    def add(self, data: bytes) -> Arrived:
        """Take what has arrived now, and say what that comes to. Takes time for what is new only."""
        searched = max(0, len(self.data) - 3)
        self.data += data
        if not self._head_bytes:
            end = self.data.find(b"\r\n\r\n", searched)
            if end < 0:
                if _BARE_LF.search(self.data, searched):
                    return Arrived.REFUSABLE
                return Arrived.HEAD_TOO_LARGE if len(self.data) > MAX_HEAD_BYTES else Arrived.PART
            self._read_head(end + 4)
        return self._chunks() if self._is_chunked else self._declared()

    def _start_again(self) -> None:
        self._head_bytes = 0
        self._body_bytes: int | None = 0
        self._is_chunked = False
        self._next_chunk = 0
        self._chunk_data = 0

    def _read_head(self, size: int) -> None:
        """Find out how the body will end, and whether the client waits before it sends it."""
        head = bytes(self.data[:size])
        without, waiting = _CONTINUE.subn(b"", head)
        if waiting:
            # The server would say it later, and keep a thread until the body is there.
            self.data[:size] = without
            head, size = without, len(without)
            self.wants_continue = b" HTTP/1.1\r\n" in head
        framing = len(_FRAMING.findall(head))
        length, chunked = _LENGTH.search(head), _CHUNKED.search(head)
        self._is_chunked = framing == 1 and chunked is not None
        if framing:
            self._body_bytes = int(length[1]) if framing == 1 and length else None
        self._head_bytes = self._next_chunk = size

    def _declared(self) -> Arrived:
        if self._body_bytes is None or self._body_bytes > self.max_body_bytes:
            return Arrived.REFUSABLE
        missing = self._head_bytes + self._body_bytes - len(self.data)
        return Arrived.PART if missing > 0 else Arrived.WHOLE

    def _chunks(self) -> Arrived:
        while True:
            line = _CHUNK_SIZE.match(self.data, self._next_chunk)
            if not line:
                # One that is not there yet, or none.
                begun = self.data[self._next_chunk : self._next_chunk + MAX_LINE_BYTES]
                is_none = b"\n" in begun or len(begun) == MAX_LINE_BYTES
                return Arrived.REFUSABLE if is_none else self._unless_endless()
            size = int(line[1], 16)
            if size == 0:
                end = self.data.find(b"\r\n\r\n", line.end() - 2)
                return Arrived.WHOLE if end >= 0 else self._unless_endless()
            end = line.end() + size
            if self._chunk_data + min(size, len(self.data) - line.end()) > self.max_body_bytes + _SLACK:
                return Arrived.REFUSABLE
            if len(self.data) < end + 2:
                return self._unless_endless()
            if self.data[end : end + 2] != b"\r\n":
                return Arrived.REFUSABLE
            self._chunk_data += size
            self._next_chunk = end + 2

    def _unless_endless(self) -> Arrived:
        # A chunk of one byte takes six.
        many = MAX_HEAD_BYTES + 8 * self.max_body_bytes
        return Arrived.BODY_TOO_LARGE if len(self.data) > many else Arrived.PART
