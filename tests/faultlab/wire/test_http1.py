"""The wire between clients and servers of HTTP/1.1."""

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from tests.faultlab.wire import Answer, Http1Protocol, HttpRequest, HttpResponse, Proxy, Request
from tests.faultlab.wire.waiting import DEADLINE, eventually


class Web(BaseHTTPRequestHandler):
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

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def web() -> Iterator[tuple[Proxy, list[bytes]]]:
    """A link to a small web server, and what that has received."""
    bodies: list[bytes] = []
    handler = type("Handler", (Web,), {"bodies": bodies})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            with Proxy("client to web", Http1Protocol(), upstream=("127.0.0.1", server.server_port)) as link:
                yield link, bodies
        finally:
            server.shutdown()
            thread.join()


def post(link: Proxy, path: str, body: bytes) -> bytes:
    """Send a body and return the answer's."""
    return requests.post(f"http://127.0.0.1:{link.port}{path}", data=body, timeout=DEADLINE).content


def test_request_held(web: tuple[Proxy, list[bytes]], pool: ThreadPoolExecutor) -> None:
    """A request that is held has not reached the server; one among many is found by its body."""
    link, bodies = web
    point = link.hold(Request("POST /add", mentioning="note 3"))
    clients = [pool.submit(post, link, "/add", b"note %d" % number) for number in range(6)]
    held = point.wait(DEADLINE)
    assert isinstance(held.message, HttpRequest)
    assert (held.message.method, held.message.path, held.message.body) == ("POST", "/add", b"note 3")
    assert held.message.headers["content-length"] == "6"
    for number in (0, 1, 2, 4, 5):
        clients[number].result(DEADLINE)
    assert b"note 3" not in bodies
    held.release()
    assert clients[3].result(DEADLINE) == b"note 3"


@pytest.mark.parametrize("path", ["/plain", "/chunked"])
def test_response_held(web: tuple[Proxy, list[bytes]], pool: ThreadPoolExecutor, path: str) -> None:
    """When the response is held the server has done its work and the client does not know."""
    link, bodies = web
    point = link.hold(Answer(f"POST {path}", mentioning=b"milk"))
    client = pool.submit(post, link, path, b"milk")
    held = point.wait(DEADLINE)
    assert isinstance(held.message, HttpResponse)
    assert (held.message.status, held.message.body, held.message.request.path) == (200, b"milk", path)
    assert bodies == [b"milk"]
    assert not client.done()
    held.reset()
    with pytest.raises(requests.ConnectionError):
        client.result(DEADLINE)


@pytest.mark.parametrize("path", ["/plain", "/chunked"])
def test_big_http_bodies(web: tuple[Proxy, list[bytes]], path: str) -> None:
    """Bodies longer than what is kept together pass unchanged, and the connection is of use afterwards."""
    link, bodies = web
    body = os.urandom(5_000_000)
    with requests.Session() as session:
        for sent in (body, b"", b"small"):
            answer = session.post(f"http://127.0.0.1:{link.port}{path}", data=sent, timeout=DEADLINE)
            assert answer.content == sent
    assert bodies == [body, b"", b"small"]
    assert max(event.connection for event in link.log.events()) == 1


def test_http_bytes_are_untouched() -> None:
    """Every byte of a kept-alive conversation arrives as it was sent: chunks, lengths, odd spelling, no body at all."""
    requests_ = [
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
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        Proxy("client to web", Http1Protocol(), upstream=listener.getsockname()) as link,
        socket.create_connection(("127.0.0.1", link.port), timeout=DEADLINE) as client,
    ):
        server, _ = listener.accept()
        server.settimeout(DEADLINE)
        with server:
            for request, response in zip(requests_, responses, strict=True):
                client.sendall(request)
                assert exactly(server, len(request)) == request
                server.sendall(response)
                if response is not responses[-1]:
                    assert exactly(client, len(response)) == response
        assert exactly(client, len(responses[-1])) == responses[-1]
        assert client.recv(1) == b""
        eventually(lambda: link.open_connections == 1, "half of it open")


def test_body_that_waits_for_leave() -> None:
    """A client that asks before it sends its body gets its answer: go on, or not."""
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    for said, body, answer in (
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"milk", b"HTTP/1.1 204 \r\n\r\n"),
        (b"", b"", b"HTTP/1.1 417 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
    ):
        with (
            socket.create_server(("127.0.0.1", 0)) as listener,
            Proxy("client to web", Http1Protocol(), upstream=listener.getsockname()) as link,
            socket.create_connection(("127.0.0.1", link.port), timeout=DEADLINE) as client,
        ):
            server, _ = listener.accept()
            server.settimeout(DEADLINE)
            with server:
                client.sendall(head)
                assert exactly(server, len(head)) == head
                server.sendall(said)
                assert exactly(client, len(said)) == said
                client.sendall(body)
                assert exactly(server, len(body)) == body
                server.sendall(answer)
                assert exactly(client, len(answer)) == answer


def exactly(sock: socket.socket, length: int) -> bytes:
    """Read so many bytes."""
    data = b""
    while len(data) < length and (more := sock.recv(length - len(data))):
        data += more
    return data
