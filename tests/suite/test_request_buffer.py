"""How much of a request has arrived, whatever pieces it comes in."""

import pytest

from tests.support.raw_http import CHUNKED, chunks, request
from todo_shared.request_buffer import Arrived, RequestBuffer

MAX_BODY_BYTES = 100
WHOLE = {
    "no body": request("GET", "/"),
    "old": b"GET / HTTP/1.0\r\n\r\n",
    "empty line before": b"\r\n" + request("GET", "/"),
    "length": request("POST", "/", "content-length:5", body=b"\r\n\r\na"),
    "no length": request("POST", "/", "Content-Length: 0"),
    "largest": request("POST", "/", "Content-Length: 100", body=b"a" * 100),
    "chunks": request("POST", "/", CHUNKED, body=chunks(b"\r\n", b"0\r\n\r\n", b"abc")),
    "no chunk": request("POST", "/", CHUNKED, body=chunks()),
    "extension and trailer": request("POST", "/", CHUNKED, body=b"1 ; a=b\r\nx\r\n000\r\nA: b\r\nC: d\r\n\r\n"),
}
REFUSED = {
    "bare line feed": (b"GET / HTTP/1.1\n", Arrived.REFUSABLE),
    "length that is none": (request("POST", "/", "Content-Length: x"), Arrived.REFUSABLE),
    "length and chunks": (request("POST", "/", CHUNKED, "Content-Length: 1"), Arrived.REFUSABLE),
    "longer than accepted": (request("POST", "/", "Content-Length: 101"), Arrived.REFUSABLE),
    "size that is none": (request("POST", "/", CHUNKED, body=b"zz\r\n"), Arrived.REFUSABLE),
    "later size that is none": (request("POST", "/", CHUNKED, body=b"1\r\na\r\n-1\r\n"), Arrived.REFUSABLE),
    "endless size": (request("POST", "/", CHUNKED, body=b"1;" + b"a" * 5000), Arrived.REFUSABLE),
    "longer than its size": (request("POST", "/", CHUNKED, body=b"1\r\nabc"), Arrived.REFUSABLE),
    "too many bytes": (request("POST", "/", CHUNKED, body=b"fffff\r\n" + b"a" * 3000), Arrived.REFUSABLE),
    "endless head": (b"GET / HTTP/1.1\r\n" + b"a" * 70_000, Arrived.HEAD_TOO_LARGE),
    "endless trailer": (request("POST", "/", CHUNKED, body=b"0\r\n" + b"A: b\r\n" * 20_000), Arrived.BODY_TOO_LARGE),
}


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("data", WHOLE.values(), ids=WHOLE)
def test_whole(data: bytes, size: int) -> None:
    """A request is whole when its last byte is there, and not before; it is handed on as it came."""
    buffer = RequestBuffer(MAX_BODY_BYTES)
    for _ in range(2):
        pieces = [data[start : start + size] for start in range(0, len(data), size)]
        assert [buffer.add(piece) for piece in pieces] == [*[Arrived.PART] * (len(pieces) - 1), Arrived.WHOLE]
        assert buffer.take() == data
        assert not buffer


@pytest.mark.parametrize(("data", "arrived"), REFUSED.values(), ids=REFUSED)
def test_refused(data: bytes, arrived: Arrived) -> None:
    """What will be refused anyway is not waited for."""
    buffer = RequestBuffer(MAX_BODY_BYTES)
    assert buffer.add(data[:10]) is Arrived.PART
    assert buffer.add(data[10:]) is arrived


def test_client_that_waits() -> None:
    """A client is told once to go on, and its request says no more that it waits."""
    for version, waits in ((b"1.1", True), (b"1.0", False)):
        buffer = RequestBuffer(MAX_BODY_BYTES)
        head = request("POST", "/", "EXPECT: 100-Continue", "Content-Length: 1").replace(b"1.1", version)
        assert buffer.add(head) is Arrived.PART
        assert buffer.wants_continue is waits
        assert buffer.add(b"x") is Arrived.WHOLE
        assert buffer.take() == head.replace(b"EXPECT: 100-Continue\r\n", b"") + b"x"
