"""Several addresses of Restate, as a cluster has them: one that is away costs a moment, and no write."""

import contextlib
import http.server
import random
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import requests
from flask import Flask

from flask_restate import FlaskRestate, addresses
from flask_restate.extension import OperationNotFoundError, PendingError, StatusUnavailableError, UnavailableError
from flask_todo_restate.pending import Pending
from flask_todo_restate.services.todo_service import add_todo
from tests.faultlab.wire.events import EventKind
from tests.faultlab.wire.http1 import Http1Protocol
from tests.faultlab.wire.messages import Answer, Direction
from tests.faultlab.wire.proxy import Proxy
from tests.support.running_twin import RunningTwin, new_key
from tests.support.user import new_name
from todo_shared.schemas import TodoRequest
from todo_stack.ports import HOST

BUDGET = 1.0
UNKNOWN = "inv_1gdJBtdVEcM942bjcDmb1c1khoaJe11Hbz"


@pytest.fixture(autouse=True)
def first_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin at the first address, where other processes begin at any."""
    monkeypatch.setattr(random, "randrange", lambda _: 0)


def link_to(port: int) -> Proxy:
    """Return a link, whose port stands for a node."""
    return Proxy("to a node", Http1Protocol, upstream=(HOST, port))


def address(node: Proxy) -> str:
    """Return the address of a node."""
    return f"http://{HOST}:{node.port}"


@pytest.fixture
def nodes(durable: RunningTwin) -> Iterator[list[Proxy]]:
    """Three addresses of the ingress."""
    with contextlib.ExitStack() as links:
        yield [links.enter_context(link_to(durable.stack.ports.restate_ingress)) for _ in range(3)]


@pytest.fixture
def app(nodes: list[Proxy]) -> Flask:
    """An application that knows the first two."""
    app = Flask(__name__)
    app.config.update(RESTATE_ENDPOINT=" , ".join(map(address, nodes[:2])) + "/", RESTATE_WRITE_BUDGET=BUDGET)
    return app


@pytest.fixture
def restate(app: Flask) -> Iterator[FlaskRestate]:
    """The extension, in the application's context."""
    restate = FlaskRestate(app)
    with app.app_context():
        yield restate
    app.extensions["restate"].close()


@pytest.fixture
def message() -> TodoRequest:
    """A message that no other test sends."""
    return TodoRequest(task=new_name("addresses"))


@contextlib.contextmanager
def answers(status: int) -> Iterator[str]:
    """Run a server that gives this answer to everything; its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(status)

        do_POST = do_GET  # noqa: N815 - named by the library

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer((HOST, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://{HOST}:{server.server_port}"
        server.shutdown()
        thread.join()


FAULTS: dict[str, Callable[[Proxy], object]] = {
    "refused": Proxy.refuse,
    "black hole": Proxy.blackhole,
    "accepted and never answered": Proxy.leave_unanswered,
    "answer lost": lambda node: node.blackhole(Direction.TO_CLIENT),
    "reset when it was done": lambda node: node.cut(Answer("POST /restate/call"), times=None),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_one_is_away(
    restate: FlaskRestate,
    durable: RunningTwin,
    nodes: list[Proxy],
    message: TodoRequest,
    fault: Callable[[Proxy], object],
) -> None:
    """A write is answered by the second address, done once, and the next one does not ask the first."""
    fault(nodes[0])
    assert restate.call(add_todo, message, new_key()).task == message.task
    begin = time.monotonic()
    restate.call(add_todo, message, key := new_key())
    assert EventKind.OPENED not in {event.kind for event in nodes[0].log.events(begin)}
    operation_id = restate.send(add_todo, message, key)
    assert restate.status(operation_id).status == "done"
    restate.check()
    assert durable.settle() == []
    assert durable.tasks(message.task) == [message.task] * 2


def test_half_must_be_healthy(restate: FlaskRestate, app: Flask, nodes: list[Proxy]) -> None:
    """One node of three that is left is healthy, and yet the ingress is not."""
    app.config["RESTATE_ENDPOINT"] = ",".join(map(address, nodes))
    nodes[0].refuse()
    restate.check()
    # Also on the connection that is open by now.
    nodes[1].blackhole()
    with pytest.raises(requests.RequestException):
        restate.check()


def test_one_says_that_it_is_unavailable(
    app: Flask, restate: FlaskRestate, durable: RunningTwin, message: TodoRequest
) -> None:
    """A write goes on from an address whose own answer is 503, and so does the question how the ingress is."""
    with answers(503) as unavailable:
        app.config["RESTATE_ENDPOINT"] = f"{unavailable},{durable.stack.ports.ingress_url}"
        restate.check()
        assert restate.call(add_todo, message, new_key()).task == message.task
        app.config["RESTATE_ENDPOINT"] = f"{unavailable},{unavailable}/again"
        with pytest.raises(requests.RequestException):
            restate.check()
        with pytest.raises(UnavailableError):
            restate.call(add_todo, message, new_key())
    assert durable.tasks(message.task) == [message.task]


def test_back_again(
    restate: FlaskRestate, nodes: list[Proxy], message: TodoRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address that was away is asked again after a while, before the other."""
    monkeypatch.setattr(addresses, "AWAY_SECONDS", 0)
    nodes[0].refuse()
    restate.call(add_todo, message, new_key())
    nodes[0].heal()
    nodes[1].refuse()
    nodes[1].reset_connections()
    restate.call(add_todo, message, new_key())
    nodes[1].heal()
    again = nodes[0].watch(Answer("POST /restate/call"))
    restate.call(add_todo, message, new_key())
    again.wait()


def test_pending_though_one_is_frozen(
    restate: FlaskRestate, durable: RunningTwin, nodes: list[Proxy], message: TodoRequest
) -> None:
    """A write that cannot be finished is confirmed by the other address, in the time that it takes with one."""
    nodes[0].leave_unanswered()
    durable.writer.kill()
    begin = time.monotonic()
    with pytest.raises(PendingError) as pending:
        restate.call(add_todo, message, new_key())
    assert BUDGET <= time.monotonic() - begin < BUDGET * 2
    assert restate.status(pending.value.operation_id).status == "pending"
    durable.writer.start()
    assert durable.settle() == []
    assert durable.tasks(message.task) == [message.task]


@pytest.mark.parametrize("fault", [Proxy.refuse, Proxy.leave_unanswered])
def test_all_are_away(
    restate: FlaskRestate, durable: RunningTwin, nodes: list[Proxy], fault: Callable[[Proxy], object]
) -> None:
    """With no address left a write is unavailable when its budget is over, as with one address; nothing is done."""
    for node in nodes:
        fault(node)
    with durable.unchanged():
        begin = time.monotonic()
        with pytest.raises(UnavailableError):
            restate.call(add_todo, TodoRequest(task="never"), new_key())
        assert BUDGET <= time.monotonic() - begin < BUDGET * 2
        with pytest.raises(StatusUnavailableError):
            restate.status(UNKNOWN, timeout=0.1)


def test_unknown_to_most(app: Flask, restate: FlaskRestate, nodes: list[Proxy], message: TodoRequest) -> None:
    """One address is not believed that there is no such call: more than half must say so."""
    operation_id = restate.send(add_todo, message, new_key())
    known = app.config["RESTATE_ENDPOINT"]
    with pytest.raises(OperationNotFoundError):
        restate.status(UNKNOWN)
    with answers(404) as cut_off:
        app.config["RESTATE_ENDPOINT"] = f"{cut_off},{known}"
        assert restate.status(operation_id).status in {"pending", "done"}
    nodes[0].refuse()
    nodes[0].reset_connections()
    app.config["RESTATE_ENDPOINT"] = known
    with pytest.raises(StatusUnavailableError):
        restate.status(UNKNOWN)
    app.config["RESTATE_ENDPOINT"] = f"{known},{address(nodes[2])}"
    with pytest.raises(OperationNotFoundError):
        restate.status(UNKNOWN)


@pytest.mark.parametrize("fault", [Proxy.refuse, Proxy.leave_unanswered])
def test_what_is_pending(durable: RunningTwin, fault: Callable[[Proxy], object]) -> None:
    """The admin API is asked at another address, too."""
    with link_to(durable.stack.ports.restate_admin) as node:
        fault(node)
        pending = Pending(Flask(__name__), f"{address(node)},{durable.stack.ports.admin_url}", lambda: None)
        assert pending.query("SELECT 1 AS one") == [{"one": 1}]


def test_a_process_stays_where_it_began(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process begins at an address that is drawn, whichever that is, and stays with it."""
    names, first = "http://a,http://b/,http://c", {}
    for number in range(3):
        monkeypatch.setattr(random, "randrange", lambda _, number=number: number)
        process = addresses.Addresses(names)
        first[number] = [process.ask(lambda node, _: node, 1) for _ in range(2)]
    assert first == {0: ["http://a"] * 2, 1: ["http://b"] * 2, 2: ["http://c"] * 2}


def test_health_is_no_proof() -> None:
    """A node that is cut off says that it is healthy: it is asked after the others until it has taken a call."""
    nodes, asked = addresses.Addresses("http://a,http://b"), list[str]()

    def call(node: str, _: float) -> str:
        asked.append(node)
        if node == cut_off:
            raise requests.ReadTimeout
        return node

    cut_off = nodes.ask(lambda node, _: node, 1)
    for _ in range(2):
        assert nodes.ask(call, 1) != cut_off
        assert nodes.ask(lambda node, _: node, 1, proves=False) != cut_off
    assert asked.count(cut_off) == 1


def test_no_address(app: Flask) -> None:
    """An application with a wrong address does not start, and says which setting is wrong."""
    app.config["RESTATE_ENDPOINT"] = "http://127.0.0.1:8080,127.0.0.1:8081"
    with pytest.raises(ValueError, match=r"^RESTATE_ENDPOINT: '127.0.0.1:8081' is no address"):
        FlaskRestate(app)
