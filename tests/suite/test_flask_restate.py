"""The extension FlaskRestate tells its caller what became of a call, and makes it once per key."""

import io
import json
import socket
from collections.abc import Iterator
from datetime import timedelta

import pytest
import requests
from flask import Flask

from flask_restate import FlaskRestate
from flask_restate.extension import (
    OperationNotFoundError,
    OutcomeUnknownError,
    RejectedError,
    StatusUnavailableError,
    UnavailableError,
    idempotency_key,
)
from flask_restate.session import IngressSession
from flask_todo_restate.services.todo_service import add_todo, clear_todos, delete_todo, todo_service
from tests.support import restate_admin
from tests.support.running_twin import RunningTwin, new_key
from tests.support.user import new_name
from tests.support.waiting import until
from todo_shared.schemas import ClearRequest, TodoItemRequest, TodoRequest

NOBODY_LISTENS = "http://127.0.0.1:1"
NO_SUCH_TODO = TodoItemRequest(todo_id=1_999_999_999)
JSON = {"content-type": "application/json"}

NO_MESSAGE = [
    ("GET", {}, None),
    ("POST", {}, None),
    *(("POST", JSON, body) for body in (None, "null", "[1]", "{")),
    ("POST", {"content-type": "text/plain"}, "{}"),
]

CANNOT_SUCCEED = [
    ("add_todo", {}, 400),
    ("add_todo", {"task": ""}, 400),
    ("add_todo", {"task": "x", "order": 2**40}, 400),
    ("update_todo", {"todo_id": -(2**40), "task": "x"}, 404),
    ("delete_todo", {"todo_id": "x"}, 400),
    ("delete_todo", {"todo_id": 2**70}, 404),
]


@pytest.fixture
def app(durable: RunningTwin) -> Flask:
    """An application with a short write budget."""
    app = Flask(__name__)
    app.config.update(RESTATE_ENDPOINT=durable.stack.ports.ingress_url, RESTATE_WRITE_BUDGET=1)
    return app


@pytest.fixture
def restate(app: Flask) -> Iterator[FlaskRestate]:
    """The extension, in the application's context."""
    restate = FlaskRestate()
    restate.init_app(app)
    with app.app_context():
        yield restate
    app.extensions["restate"].close()


@pytest.fixture
def message() -> TodoRequest:
    """A message that no other test sends."""
    return TodoRequest(task=new_name("client"))


def test_rejection(restate: FlaskRestate, durable: RunningTwin) -> None:
    """A call that the handler refuses is rejected with status and reason, again for the same key; nothing changes."""
    key = new_key()
    with durable.unchanged():
        for _ in range(2):
            with pytest.raises(RejectedError) as rejection:
                restate.call(delete_todo, NO_SUCH_TODO, key)
            assert (rejection.value.code, rejection.value.reason) == (404, "There is no todo 1999999999.")


def test_send_with_delay(restate: FlaskRestate, durable: RunningTwin, message: TodoRequest) -> None:
    """A call that is handed over is made after its delay, and once per key."""
    key = new_key()
    operation_id = restate.send(add_todo, message, key, delay=timedelta(seconds=2))
    assert restate.send(add_todo, message, key) == operation_id
    assert durable.tasks(message.task) == []
    assert restate.status(operation_id).status == "pending"
    until(lambda: durable.tasks(message.task), "the call is made after its delay")
    assert durable.settle() == []
    assert durable.tasks(message.task) == [message.task]


def test_killed_call(restate: FlaskRestate, durable: RunningTwin, message: TodoRequest) -> None:
    """Nobody knows how far a call had come that an operator kills: it is unknown, and not a failure."""
    key = new_key()
    durable.writer.kill()
    operation_id = restate.send(add_todo, message, key)
    restate_admin.order(durable.stack.ports.admin_url, operation_id, "kill")
    durable.writer.start()
    assert durable.settle() == []
    assert restate.status(operation_id).status == "unknown"
    with pytest.raises(OutcomeUnknownError):
        restate.call(add_todo, message, key)
    assert durable.tasks(message.task) == []


class Answers(IngressSession):
    """Gives each request this answer of a call that ended with 409."""

    def __init__(self, **answer: object) -> None:
        super().__init__()
        self.answer = answer

    def request(self, *_: object, **__: object) -> requests.Response:
        """Answer."""
        response = requests.Response()
        response.status_code = 409
        response.headers["x-restate-error-source"] = "invocation"
        response.raw = io.BytesIO(json.dumps({"code": 409, "source": "invocation", **self.answer}).encode())
        return response


@pytest.mark.parametrize("word", ["cancelled", "canceled", "killed"])
def test_words_for_a_call_that_was_stopped(app: Flask, restate: FlaskRestate, word: str) -> None:
    """Each word that the SDK or the server has for it makes a call unknown, unless metadata says who refused."""
    app.extensions["restate"] = Answers(message=word)
    assert restate.status("inv_x").status == "unknown"
    app.extensions["restate"] = Answers(message=word, metadata={"error": "x"})
    refused = restate.status("inv_x")
    assert (refused.status, refused.reason) == ("rejected", word)


def test_restart_as_new(restate: FlaskRestate, durable: RunningTwin, message: TodoRequest) -> None:
    """A completed add that an operator restarts as new adds nothing: the ledger knows it by its key."""
    operation_id = restate.send(add_todo, message, new_key())
    assert durable.settle() == []
    restarted = restate_admin.order(durable.stack.ports.admin_url, operation_id, "restart-as-new")
    again = restarted["new_invocation_id"]
    assert again != operation_id
    assert durable.settle() == []
    assert restate.status(again).result == restate.status(operation_id).result
    assert durable.tasks(message.task) == [message.task]


def test_key_that_restate_has_forgotten(restate: FlaskRestate, durable: RunningTwin, message: TodoRequest) -> None:
    """A form that is submitted again after Restate has forgotten its key adds nothing."""
    key = new_key()
    first = restate.call(add_todo, message, key)
    operation_id = restate.send(add_todo, message, key)
    restate_admin.order(durable.stack.ports.admin_url, operation_id, "purge")
    with pytest.raises(OperationNotFoundError):
        restate.status(operation_id)
    assert restate.call(add_todo, message, key) == first
    assert durable.tasks(message.task) == [message.task]


def test_ingress_down(app: Flask, restate: FlaskRestate, durable: RunningTwin) -> None:
    """An ingress that refuses connections for the whole budget is unavailable, for calls and for questions."""
    app.config.update(RESTATE_ENDPOINT=NOBODY_LISTENS, RESTATE_WRITE_BUDGET=0.2)
    with durable.unchanged():
        with pytest.raises(UnavailableError) as unavailable:
            restate.call(clear_todos, ClearRequest(), new_key())
        assert "Connection refused" in str(unavailable.value.__cause__)
        with pytest.raises(StatusUnavailableError):
            restate.status("inv_x")
        with pytest.raises(requests.RequestException):
            restate.check()


def test_proxy_of_the_shell(restate: FlaskRestate, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ingress is reached directly, whatever proxy the shell has for the world outside."""
    monkeypatch.setenv("HTTP_PROXY", NOBODY_LISTENS)
    restate.check()


def test_in_one_piece(restate: FlaskRestate, message: TodoRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call is sent with its headers, so that Restate is woken for it once."""
    sent: list[tuple[socket.socket, bytes]] = []
    send = socket.socket.sendall

    def recorded(connection: socket.socket, data: bytes) -> None:
        sent.append((connection, data))
        send(connection, data)

    monkeypatch.setattr(socket.socket, "sendall", recorded)
    restate.call(add_todo, message, new_key())
    (ours,) = [connection for connection, data in sent if data.startswith(b"POST ")]
    (request,) = [data for connection, data in sent if connection is ours]
    assert request.endswith(message.model_dump_json(by_alias=True).encode())


def test_application_without_error_handlers(
    app: Flask, restate: FlaskRestate, durable: RunningTwin, message: TodoRequest
) -> None:
    """An application that registers no error handlers answers 202, 404 and 503 by itself."""
    app.add_url_rule("/add", "add", view_func=lambda: restate.call(add_todo, message, new_key()).task)
    app.add_url_rule("/delete", "delete", view_func=lambda: str(restate.call(delete_todo, NO_SUCH_TODO, new_key())))
    client = app.test_client()
    assert client.get("/add").text == message.task
    assert client.get("/delete").status_code == 404
    durable.writer.kill()
    pending = client.get("/add")
    assert (pending.status_code, pending.get_json()["status"]) == (202, "pending")
    app.config["RESTATE_ENDPOINT"] = NOBODY_LISTENS
    assert client.get("/add").status_code == 503
    durable.writer.start()
    assert durable.settle() == []
    # The write that was answered and the one that was promised, and not the one that could not be handed over.
    assert durable.tasks(message.task) == [message.task] * 2


@pytest.mark.parametrize(
    ("path", "statuses"),
    # A message that is only handed over is refused at once, or accepted and refused later.
    [("", {400}), ("/restate/call", {400}), ("/restate/send", {202, 400})],
)
@pytest.mark.parametrize("handler", todo_service.handlers)
def test_bad_message(durable: RunningTwin, handler: str, path: str, statuses: set[int]) -> None:
    """A message that is missing or cannot be parsed is refused with 400 by each method and path; nothing changes."""
    url = f"{durable.stack.ports.ingress_url}{path}/TodoService/{handler}"
    with durable.unchanged():
        answers = [
            requests.request(method, url, headers=headers, data=body, timeout=10)
            for method, headers, body in NO_MESSAGE
        ]
    assert {answer.status_code for answer in answers} == statuses


@pytest.mark.parametrize(("handler", "message", "status"), CANNOT_SUCCEED)
def test_message_that_cannot_succeed(durable: RunningTwin, handler: str, message: object, status: int) -> None:
    """A message that the handler cannot carry out ends at once with a status, and nothing changes."""
    with durable.unchanged():
        url = f"{durable.stack.ports.ingress_url}/TodoService/{handler}"
        assert requests.post(url, json=message, timeout=10).status_code == status


def test_idempotency_key() -> None:
    """The same key and body make the same key; another of either makes another one."""
    key = idempotency_key("id", "{}")
    assert key.startswith("id.")
    assert key == idempotency_key("id", "{}")
    assert len({key, idempotency_key("id", "[]"), idempotency_key("di", "{}")}) == 3


@pytest.mark.parametrize("key", ["", "a b", "two\nlines", "キー", "x" * 300], ids=repr)
def test_key_of_any_characters(restate: FlaskRestate, durable: RunningTwin, key: str) -> None:
    """Whatever an idempotency key looks like, a repeated call joins the first."""
    message = TodoRequest(task=new_name("key"))
    assert restate.call(add_todo, message, key) == restate.call(add_todo, message, key)
    assert durable.tasks(message.task) == [message.task]


def test_refused_by_the_ingress(app: Flask, restate: FlaskRestate, durable: RunningTwin) -> None:
    """What the ingress itself refuses is not tried again until the budget is over, and is not called unavailable."""
    app.config["RESTATE_WRITE_BUDGET"] = 60
    message = TodoRequest.model_construct(task="x" * 40_000_000, order=None)
    with durable.unchanged(), pytest.raises(RejectedError) as refused:
        restate.call(add_todo, message, new_key())
    assert refused.value.code == 413
