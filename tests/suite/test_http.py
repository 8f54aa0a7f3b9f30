"""Requests that no careful client sends: both twins refuse them and stay as they are."""

import contextlib
import itertools

import pytest

from flask_todo_restate.settings import WebSettings
from tests.support.raw_http import CHUNKED, FORM, JSON, answer_on, chunks, connect, exchange, request
from tests.support.running_twin import RunningStack, RunningTwin
from tests.support.user import new_name
from todo_shared.edge import MAX_BODY_BYTES
from todo_shared.settings import Settings
from todo_stack.twins import PLAIN, RESTATE

BODY = b'{"title":"cut off"}'
PART = "--b\r\nContent-Disposition: form-data; name={}\r\n\r\n{}\r\n"
MULTIPART = "Content-Type: multipart/form-data; boundary=b"


def declared(method: str, path: str, kind: str, body: bytes, more: int = 0) -> bytes:
    """Return a request that says that its body has so many bytes more than it has."""
    return request(method, path, kind, f"Content-Length: {len(body) + more}", body=body)


def chunked(body: bytes, kind: str = JSON, path: str = "/api/todos") -> bytes:
    """Return a POST with this as its body: well-formed chunks, or something else."""
    return request("POST", path, kind, CHUNKED, body=body)


CUT_OFF = {
    "JSON": declared("POST", "/api/todos", JSON, BODY, 30),
    "by one byte": declared("POST", "/api/todos", JSON, BODY, 1),
    "form": declared("POST", "/add", FORM, b"task=Transfer+100+EUR", 30),
    "form that needs no body": declared("POST", "/delete/1", FORM, b"request_id=", 1),
    "multipart": declared("POST", "/add", MULTIPART, (PART.format("task", "x") + "--b--\r\n").encode(), 9),
    "delete": declared("DELETE", "/api/todos", JSON, b"", 1),
    "update": declared("PATCH", "/api/todos/1", JSON, b"{}", 7),
    "chunk": chunked(chunks(BODY)[:-9]),
    "chunks without an end": chunked(chunks(BODY)[:-5]),
    "half an end": chunked(chunks(BODY)[:-2]),
    "form in chunks": chunked(chunks(b"task=x")[:-5], FORM, "/add"),
    "delete in chunks": request("DELETE", "/api/todos", CHUNKED, body=b"5\r\nab"),
}
MALFORMED = {
    **{
        f"size {size!r}": chunked(b"%s\r\n%s\r\n0\r\n\r\n" % (size, BODY))
        for size in (b"zz", b"-1", b"0x13", b"", b"1 3")
    },
    "size over 64 bits": chunked(b"fffffffffffffffff1\r\n%s\r\n0\r\n\r\n" % BODY),
    "no line end after a chunk": chunked(b"13\r\n%s0\r\n\r\n" % BODY),
    "chunk longer than its size": chunked(b"12\r\n%s\r\n0\r\n\r\n" % BODY),
    "extension": chunked(b"13;=\r\n%s\r\n0\r\n\r\n" % BODY),
    "trailer": chunked(chunks(BODY)[:-2] + b"no trailer\r\n\r\n"),
    "length and chunks": request("POST", "/api/todos", JSON, "Content-Length: 19", CHUNKED, body=chunks(BODY)),
    "two lengths": request("POST", "/api/todos", JSON, "Content-Length: 19", "Content-Length: 2", body=BODY),
    "negative length": request("POST", "/api/todos", JSON, "Content-Length: -19", body=BODY),
}
NO_HOSTS = [
    'a b"<',
    "",
    "a:99999",
    "a:0",
    "a:",
    "[::1",
    "[1::2::3]",
    "user@a",
    "a/b",
    "a,b",
    "-a",
    "a..b",
    "é.example",
    None,
]


def with_host(host: str | None) -> bytes:
    """Return a request that would add a todo, but for its host."""
    return request("POST", "/api/todos", JSON, "Content-Length: 19", body=BODY, host=host)


@pytest.mark.parametrize("data", {**CUT_OFF, **MALFORMED}.values(), ids=[*CUT_OFF, *MALFORMED])
def test_request_that_is_not_whole(twin: RunningTwin, data: bytes) -> None:
    """A request that ends early, or whose body is malformed, is 400, changes nothing, and harms no other request."""
    with twin.unchanged():
        assert exchange(twin.url, data).status == 400


def test_whole_requests_in_unusual_forms(twin: RunningTwin) -> None:
    """Chunks of any size, with extensions and trailers, are one body; a client may wait before it sends it."""
    task = new_name("chunks")
    body = b'{"title": "%s"}' % task.encode()
    whole = [
        chunks(*(body[i : i + 1] for i in range(len(body)))),
        b"%x ;a=b;c\r\n%s\r\n00\r\nX-Checksum: 1\r\n\r\n" % (len(body), body),
    ]
    assert [exchange(twin.url, chunked(each)).status for each in whole] == [201, 201]
    waits = request("POST", "/api/todos", JSON, f"Content-Length: {len(body)}", "Expect: 100-continue")
    with connect(twin.url, waits) as connection:
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert answer_on(connection).status == 201
    assert twin.tasks(task) == [task] * 3


def test_requests_on_one_connection(twin: RunningTwin) -> None:
    """A client may send its next requests before it is answered, and each in pieces."""
    task = new_name("pipelined")
    body = b'{"title": "%s"}' % task.encode()
    first, second = (declared("POST", "/api/todos", JSON, body), chunked(chunks(body)))
    with connect(twin.url, first + second + first[:50]) as connection:
        assert [answer_on(connection).status for _ in range(2)] == [201, 201]
        connection.sendall(first[50:])
        assert answer_on(connection).status == 201
    assert twin.tasks(task) == [task] * 3


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (FORM, b"task=%ff"),
        (FORM, b"task=\xe9t\xe9"),
        (FORM, b"task=%ed%a0%80"),
        (MULTIPART, PART.format("task", "\xe9").encode("latin-1") + b"--b--\r\n"),
    ],
)
def test_form_that_is_not_utf_8(twin: RunningTwin, kind: str, text: bytes) -> None:
    """Bytes that are no text are refused, and not stored as something else."""
    with twin.unchanged():
        answer = exchange(twin.url, declared("POST", "/add", kind, text))
    assert answer.status == 400
    assert b"UTF-8" in answer.body


@pytest.mark.parametrize("is_chunked", [False, True], ids=["declared", "chunked"])
def test_limit_of_the_body(twin: RunningTwin, is_chunked: bool) -> None:
    """Exactly the limit is accepted, one byte more is not, in JSON and in forms."""
    task = new_name("limit")
    json = b'{"title": "%s"' % task.encode()
    kinds = {"/api/todos": JSON, "/add": FORM}

    def status(path: str, size: int) -> int:
        kind, body = kinds[path], json + b" " * (size - len(json) - 1) + b"}"
        data = chunked(chunks(body), kind, path) if is_chunked else declared("POST", path, kind, body)
        return exchange(twin.url, data).status

    assert [status("/api/todos", MAX_BODY_BYTES + more) for more in (0, 1)] == [201, 413]
    # The form is read, but has no token.
    assert [status("/add", MAX_BODY_BYTES + more) for more in (0, 1)] == [400, 413]
    assert twin.tasks(task) == [task]


@pytest.mark.parametrize("host", NO_HOSTS)
def test_host_that_is_none(twin: RunningTwin, host: str | None) -> None:
    """A Host header that is no host, or none, is 400 for the API and for pages, and adds nothing."""
    with twin.unchanged():
        assert exchange(twin.url, with_host(host)).status == 400
        assert exchange(twin.url, request("GET", "/", host=host)).status == 400


def test_hosts(twin: RunningTwin) -> None:
    """Any other host is that of the links in the answer; what only a proxy may say is not believed."""
    url = twin.add(new_name("host"))["url"]
    path = url.removeprefix(twin.url)

    def own_url(*headers: str, host: str = "a.example", target: str = path) -> str:
        return str(exchange(twin.url, request("GET", target, *headers, host=host)).json().get("url"))

    for host in ("A.example", "a.example:8080", "a.example.", "127.0.0.1:1", "[::1]", "[::1]:8080"):
        assert own_url(host=host) == f"http://{host.lower()}{path}"
    for header in ("X-Forwarded-Host: b", "X-Forwarded-Proto: https", "X-Forwarded-Ssl: on", "SCRIPT_NAME: /api"):
        assert own_url(header) == f"http://a.example{path}"
    assert own_url(target=f"http://a.example{path}") == f"http://a.example{path}"
    assert exchange(twin.url, request("GET", f"http://b.example{path}")).status == 400
    # Before HTTP/1.1 there was no Host header.
    assert exchange(twin.url, f"GET {path} HTTP/1.0\r\n\r\n".encode()).status == 200


@pytest.mark.parametrize(
    "header", ["Content-Encoding: gzip", "Content-Encoding: br, gzip", "Transfer-Encoding: gzip, chunked"]
)
def test_body_that_is_encoded(twin: RunningTwin, header: str) -> None:
    """A body that is said to be compressed is 415, in JSON and in forms, with what is accepted instead."""
    for path, kind, body in (("/api/todos", JSON, BODY), ("/add", FORM, b"task=x")):
        framing = [header] if "chunked" in header else [header, f"Content-Length: {len(body)}"]
        sent = chunks(body) if "chunked" in header else body
        with twin.unchanged():
            answer = exchange(twin.url, request("POST", path, kind, *framing, body=sent))
        assert (answer.status, answer.headers["accept-encoding"]) == (415, "identity")


@pytest.mark.parametrize("path", ["%D9%A1", "%EF%BC%91", "01", "+1", "1.0", "%201", "1_0", "0"])
def test_number_of_a_todo_in_other_writing(twin: RunningTwin, path: str) -> None:
    """A todo has one address: its number in other digits, or with more signs, is 404."""
    for method, address in (("GET", "/api/todos"), ("DELETE", "/api/todos"), ("POST", "/update"), ("POST", "/delete")):
        assert exchange(twin.url, request(method, f"{address}/{path}")).status == 404


def test_slow_clients(stack: RunningStack) -> None:
    """As many half-sent requests as threads keep nobody waiting for long, and are not carried out."""
    half = [
        b"",
        request("GET", "/")[:-2],
        declared("POST", "/api/todos", JSON, BODY, 1),
        declared("POST", "/add", FORM, b"task=x", 1),
        chunked(chunks(BODY)[:-2]),
        request("POST", "/api/todos", JSON, "Content-Length: 19", "Expect: 100-continue"),
    ]
    with contextlib.ExitStack() as unfinished:
        for twin, settings in ((RunningTwin(PLAIN, stack), Settings), (RunningTwin(RESTATE, stack), WebSettings)):
            unfinished.enter_context(twin.unchanged())
            threads = settings.model_fields["web_threads"].default
            # Those that send nothing at all may be any number.
            for data in [*itertools.islice(itertools.cycle(half), threads), *[b""] * 10 * threads]:
                unfinished.enter_context(connect(twin.url, data))
            assert exchange(twin.url, request("GET", "/api/todos")).status == 200


def test_clients_that_do_not_close(twin: RunningTwin) -> None:
    """Clients that keep their side of a closed connection open keep nobody waiting for long."""
    with contextlib.ExitStack() as open_connections:
        for _ in range(20):
            open_connections.enter_context(connect(twin.url, request("GET", "/healthz", "Connection: close")))
        assert exchange(twin.url, request("GET", "/api/todos")).status == 200
