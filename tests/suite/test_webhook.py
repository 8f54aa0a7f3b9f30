"""A call to a stranger's address: it reaches no private address, follows nobody, reads little and ends in time."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest
import requests

from todo_shared.features import outside, webhook
from todo_shared.features.errors import ConflictError
from todo_shared.features.webhook import ForbiddenAddressError, call, clean_url, refuse_forbidden

TIMEOUT_SECONDS = 0.5

CLEAN = {
    "HTTP://EXAMPLE.com:80": "http://example.com:80/",
    " https://example.com/a?b=c#d ": "https://example.com/a?b=c#d",
    "http://bücher.example/ä": "http://xn--bcher-kva.example/%C3%A4",
    "http://good\\@evil.example/": "http://good/%5C@evil.example/",
}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A socket of this machine that listens, which webhooks may have, and a short time-out."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        allowed = outside.OutsideSettings(
            outside_timeout_seconds=TIMEOUT_SECONDS, webhook_hosts=f"127.0.0.1:{listening.getsockname()[1]}"
        )
        monkeypatch.setattr(webhook, "outside_settings", lambda: allowed)
        yield listening


def url_of(server: socket.socket) -> str:
    """Return its address."""
    return f"http://127.0.0.1:{server.getsockname()[1]}/"


@pytest.mark.parametrize("given", CLEAN)
def test_clean(given: str) -> None:
    """A URL is kept as it is called, and cleaning it again changes nothing."""
    assert clean_url(given) == clean_url(clean_url(given)) == CLEAN[given]


@pytest.mark.parametrize("host", ["1.1.1.1", "[2606:4700:4700::1111]", "16843009"])
def test_public(host: str, server: socket.socket) -> None:
    """A public address may be called, and a private one that is excepted, and no other."""
    refuse_forbidden(url_of(server))
    with pytest.raises(ForbiddenAddressError):
        refuse_forbidden(f"{url_of(server).rpartition(':')[0]}:1/")
    refuse_forbidden(f"http://{host}/")


def test_name_that_moves(server: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that was public when it was set and is private when it is called is not connected to."""
    port = server.getsockname()[1]
    known = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *a, **k: known({"a.example": "8.8.8.8"}[host], *a, **k))
    refuse_forbidden(f"http://a.example:{port}/")
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *a, **k: known({"a.example": "127.0.0.1"}[host], *a, **k))
    for scheme in ("http", "https"):
        with pytest.raises(ForbiddenAddressError):
            call(f"{scheme}://a.example:{port}/", {}, {})
    server.setblocking(False)
    with pytest.raises(BlockingIOError):
        server.accept()


@pytest.mark.parametrize("status", ["302 Found\r\nLocation: /other", "410 Gone\r\nContent-Length: 999999999", "304 x"])
def test_refused(server: socket.socket, status: str) -> None:
    """A redirect is not followed, and of a refusal only the status counts: its body is not waited for."""
    with answering(server, f"HTTP/1.1 {status}\r\n\r\n".encode()), pytest.raises(ConflictError) as refused:
        call(url_of(server), {}, {})
    assert status[:3] in str(refused.value)


def test_taken(server: socket.socket) -> None:
    """What comes after the status of one that has taken the call is not waited for either."""
    with answering(server, b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\nx"):
        call(url_of(server), {}, {})


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_slow_answer(server: socket.socket, scheme: str) -> None:
    """One that answers a byte at a time is cut off when the time for the whole call is over."""
    begun = time.monotonic()
    with dripping(server), pytest.raises(requests.RequestException):
        call(url_of(server).replace("http", scheme), {}, {})
    assert time.monotonic() - begun < 4 * TIMEOUT_SECONDS


@contextmanager
def answering(server: socket.socket, answer: bytes) -> Iterator[None]:
    """Give the next client this answer, and keep its connection."""

    def serve() -> socket.socket:
        client, _ = server.accept()
        client.recv(65536)
        client.sendall(answer)
        return client

    with ThreadPoolExecutor(1) as pool:
        served = pool.submit(serve)
        yield
    served.result().close()


@contextmanager
def dripping(server: socket.socket) -> Iterator[None]:
    """Answer the next client with bytes that never end, in time for each read: of a header, or of a TLS record."""

    def serve() -> None:
        client, _ = server.accept()
        with client, suppress(OSError):
            client.settimeout(TIMEOUT_SECONDS / 5)
            client.sendall(b"\x16\x03\x03\x40\x00" if client.recv(1) == b"\x16" else b"HTTP/1.1 200 OK\r\nx: ")
            while True:
                client.sendall(b"x")
                with suppress(TimeoutError):
                    if not client.recv(65536):
                        return

    with ThreadPoolExecutor(1) as pool:
        served = pool.submit(serve)
        yield
    served.result()
