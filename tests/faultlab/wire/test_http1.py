"""The wire between clients and servers of HTTP/1.1."""

import contextlib
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from tests.faultlab.wire.clients import DEADLINE, LOOPBACK, joined, pass_through
from tests.faultlab.wire.http1 import Http1Protocol, HttpRequest, HttpResponse
from tests.faultlab.wire.messages import Answer, Sent
from tests.faultlab.wire.proxy import Proxy
from tests.support.waiting import until


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was sent, in chunks if the path says so, and keeps a list of it."""

    protocol_version = "HTTP/1.1"
    bodies: list[bytes]

    def handle(self) -> None:
        """Serve one connection; its end may be a reset."""
        with contextlib.suppress(ConnectionError):
            super().handle()

    def do_POST(self) -> None:
        """Answer a POST."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.bodies.append(body)
        self.send_response(200)
        chunked = self.path == "/chunked"
        self.send_header(*(("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(len(body)))))
        self.end_headers()
        pieces = [body[at : at + 50_000] for at in range(0, len(body), 50_000)] + [b""]
        self.wfile.write(b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in pieces) if chunked else body)


@dataclass
class EchoServer:
    """A link to a server that echoes, and what that has received."""

    link: Proxy
    bodies: list[bytes]

    def post(self, path: str, body: bytes, session: requests.Session | None = None) -> bytes:
        """Send a body through the link and return the answer's."""
        url = f"http://{LOOPBACK}:{self.link.port}{path}"
        return (session or requests).post(url, data=body, timeout=DEADLINE).content


@pytest.fixture
def echo() -> Iterator[EchoServer]:
    """A running server and the link to it."""
    bodies: list[bytes] = []
    with ThreadingHTTPServer((LOOPBACK, 0), type("Handler", (Echo,), {"bodies": bodies})) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            with Proxy("client to web", Http1Protocol, upstream=(LOOPBACK, server.server_port)) as link:
                yield EchoServer(link, bodies)
        finally:
            server.shutdown()
            thread.join()


def test_request_held(echo: EchoServer, pool: ThreadPoolExecutor) -> None:
    """A request that is held has not reached the server; one among many is found by its body."""
    point = echo.link.hold(Sent("POST /add", mentioning="note 3"))
    clients = [pool.submit(echo.post, "/add", b"note %d" % number) for number in range(6)]
    held = point.wait()
    assert isinstance(held.message, HttpRequest)
    assert (held.message.head.method, held.message.head.target, held.message.body) == (b"POST", b"/add", b"note 3")
    assert (b"content-length", b"6") in held.message.head.headers
    for client in clients[:3] + clients[4:]:
        client.result(DEADLINE)
    assert b"note 3" not in echo.bodies
    held.release()
    assert clients[3].result(DEADLINE) == b"note 3"


@pytest.mark.parametrize("path", ["/plain", "/chunked"])
def test_response_held(echo: EchoServer, pool: ThreadPoolExecutor, path: str) -> None:
    """When the response is held the server has done its work and the client does not know."""
    point = echo.link.hold(Answer(f"POST {path}", mentioning=b"milk"))
    client = pool.submit(echo.post, path, b"milk")
    held = point.wait()
    assert isinstance(held.message, HttpResponse)
    assert (held.message.head.status_code, held.message.body) == (200, b"milk")
    assert held.message.request.name == f"POST {path}"
    assert echo.bodies == [b"milk"]
    assert not client.done()
    held.reset()
    with pytest.raises(requests.ConnectionError):
        client.result(DEADLINE)


@pytest.mark.parametrize("path", ["/plain", "/chunked"])
def test_big_http_bodies(echo: EchoServer, path: str) -> None:
    """Bodies longer than what is kept together pass unchanged, and the connection can be used afterwards."""
    sent = [os.urandom(5_000_000), b"", b"small"]
    with requests.Session() as session:
        assert [echo.post(path, body, session) for body in sent] == sent
    assert echo.bodies == sent
    assert max(event.connection for event in echo.link.log.events()) == 1


def test_http_bytes_are_untouched() -> None:
    """Every byte of a kept-alive conversation arrives as it was sent: chunks, lengths, odd spelling, no body at all."""
    requests_sent = [
        b"POST /add HTTP/1.1\r\nhOsT:  a\r\nContent-Length: 4\r\nX-A: \xe9\r\n\r\nmilk",
        b"POST /add HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3;x=y\r\nabc\r\n01\r\nd\r\n0\r\nT: 1\r\n\r\n",
        b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"DELETE /1 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ]
    responses = [
        b"HTTP/1.1 201 Made\r\ncontent-LENGTH: 2\r\n\r\nok",
        b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n",
        b"HTTP/1.1 204 \r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
    ]
    with joined(Http1Protocol) as (link, client, server):
        for request, response in zip(requests_sent, responses, strict=True):
            pass_through(client, server, request)
            if response is responses[-1]:
                server.sendall(response)
                server.close()
                assert client.makefile("rb").read() == response
            else:
                pass_through(server, client, response)
        until(lambda: link.open_connections == 1, "half of it is open", DEADLINE)


def test_body_that_waits_for_leave() -> None:
    """A client that asks before it sends its body gets its answer: go on, or not."""
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    for said, body, answer in (
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"milk", b"HTTP/1.1 204 \r\n\r\n"),
        (b"", b"", b"HTTP/1.1 417 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
    ):
        with joined(Http1Protocol) as (_, client, server):
            pass_through(client, server, head)
            pass_through(server, client, said)
            pass_through(client, server, body)
            pass_through(server, client, answer)
