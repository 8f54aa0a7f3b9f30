"""The load generator counts what it is answered, and no more."""

import contextlib
import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer

import pytest

from tests.costs.measure import LoadError
from tests.costs.measure.load_generator import LIST, Load, put_load, put_loads
from todo_stack.ports import HOST


class _Busy(BaseHTTPRequestHandler):
    """Has room for every other request."""

    requests = itertools.count()

    def do_GET(self) -> None:
        """Answer 200 or 503."""
        self.send_response(503 if next(self.requests) % 2 else 200)
        self.send_header("Retry-After", "0.1")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def served(handler: type[BaseHTTPRequestHandler], kind: type[HTTPServer] = HTTPServer) -> Iterator[str]:
    """Yield the address of a server."""
    with kind((HOST, 0), handler) as server, ThreadPoolExecutor(1) as thread:
        serving = thread.submit(server.serve_forever)
        try:
            yield f"http://{HOST}:{server.server_port}"
        finally:
            server.shutdown()
        serving.result()


def test_busy_server() -> None:
    """That a server has no room is counted apart where it is meant to be told, and an error elsewhere."""
    with served(_Busy) as url:
        taken = put_load(url, LIST._replace(busy=503), seconds=20, stop_after=10)
        assert (len(taken.milliseconds), taken.refused) == (5, 5)
        assert taken.seconds > 0.5
        with pytest.raises(LoadError, match="503"):
            put_load(url, LIST, seconds=20, stop_after=10)


def test_clients_that_connect() -> None:
    """The throughput is that of clients which all have their connection."""
    requests, enough = itertools.count(), threading.Event()

    class SlowToConnect(_Busy):
        """Answers the first request when ten others have come."""

        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """Answer 200."""
            number = next(requests)
            if number == 10:
                enough.set()
            if not number:
                enough.wait(10)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

    with served(SlowToConnect, ThreadingHTTPServer) as url:
        taken = put_load(url, LIST, clients=2, seconds=0.3)
    assert 10 <= taken.early.answers < len(taken.milliseconds)
    late, seconds = len(taken.milliseconds) - taken.early.answers, taken.seconds - taken.early.seconds
    assert seconds >= 0.3
    assert taken.throughput == late / seconds
    of_all = taken.while_all_ask()
    assert taken.early.answers < len(of_all.milliseconds) <= len(taken.milliseconds)
    assert taken.seconds >= of_all.seconds >= taken.early.seconds + 0.3


def test_loads_take_turns() -> None:
    """Each round has a sample of each load, in every other one the other way round; requests follow one another."""
    seen: list[str] = []

    class Noting(_Busy):
        """Notes what it is asked."""

        def do_GET(self) -> None:
            """Answer 200."""
            seen.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

    with served(Noting) as url:
        one, other = LIST._replace(path="/one", then=(url, LIST._replace(path="/then"))), LIST._replace(path="/other")
        taken = put_loads([Load(url, each, seconds=20, stop_after=2) for each in (one, other)], rounds=2)
    assert [[len(sample.milliseconds) for sample in samples] for samples in taken] == [[2, 2], [2, 2]]
    assert seen == [*["/one", "/then"] * 2, *["/other"] * 4, *["/one", "/then"] * 2]
