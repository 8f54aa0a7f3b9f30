"""The extension tells apart what its callers must tell apart."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
import requests
from flask import Flask

from flask_restate import FlaskRestate
from flask_restate.extension import (
    OperationNotFoundError,
    OutcomeUnknownError,
    PendingError,
    RejectedError,
    StatusUnavailableError,
    UnavailableError,
    idempotency_key,
)
from flask_todo_restate.services.todo_service import add_todo, clear_todos, delete_todo, todo_service
from tests.support.running_twin import RunningTwin, restate_twin
from todo_shared.schemas import ClearRequest, TodoItemRequest, TodoRequest
from todo_stack.stack import Stack


@pytest.fixture
def durable(stack: Stack) -> RunningTwin:
    """The Restate twin."""
    return restate_twin(stack)


@pytest.fixture
def app(stack: Stack) -> Flask:
    """An application with a short write budget."""
    app = Flask(__name__)
    app.config.update(RESTATE_ENDPOINT=stack.ports.ingress_url, RESTATE_WRITE_BUDGET=1)
    return app


@pytest.fixture
def restate(app: Flask) -> Iterator[FlaskRestate]:
    """The extension, in the application's context."""
    restate = FlaskRestate()
    restate.init_app(app)
    with app.app_context():
        yield restate
    app.extensions["restate"].close()


def ask_admin(durable: RunningTwin, method: str, path: str) -> requests.Response:
    """Do as an operator does in the dashboard."""
    return requests.request(method, f"{durable.stack.ports.admin_url}{path}", timeout=10)


def test_result(restate: FlaskRestate, durable: RunningTwin) -> None:
    """A call returns the handler's result, as its type, and the same one again for the same key."""
    task, key = f"client {uuid4()}", str(uuid4())
    first = restate.call(add_todo, TodoRequest(task=task), key)
    assert first.task == task
    assert restate.call(add_todo, TodoRequest(task=task), key) == first
    assert durable.tasks(task) == [task]


def test_rejection(restate: FlaskRestate) -> None:
    """What the handler refuses is a rejection with its status and reason, also when it is asked for again."""
    key = str(uuid4())
    for _ in range(2):
        with pytest.raises(RejectedError) as rejection:
            restate.call(delete_todo, TodoItemRequest(todo_id=1_999_999_999), key)
        assert (rejection.value.code, rejection.value.reason) == (404, "There is no todo 1999999999.")


def test_pending(restate: FlaskRestate, durable: RunningTwin) -> None:
    """Without its service endpoint a call is pending, and can be followed until it is done."""
    task = f"client {uuid4()}"
    durable.writer.kill()
    with pytest.raises(PendingError) as pending:
        restate.call(add_todo, TodoRequest(task=task), str(uuid4()))
    operation_id = pending.value.operation_id
    assert restate.status(operation_id).status == "pending"
    durable.writer.start()
    assert durable.settle() == []
    done = restate.status(operation_id)
    assert (done.status, done.result["task"]) == ("done", task)
    assert durable.tasks(task) == [task]


def test_send_with_delay(restate: FlaskRestate, durable: RunningTwin) -> None:
    """A call that is handed over is made after its delay, and once per key."""
    task, key = f"client {uuid4()}", str(uuid4())
    operation_id = restate.send(add_todo, TodoRequest(task=task), key, delay=timedelta(seconds=2))
    assert restate.send(add_todo, TodoRequest(task=task), key) == operation_id
    assert durable.tasks(task) == []
    assert restate.status(operation_id).status == "pending"
    assert durable.settle() == []
    assert durable.tasks(task) == [task]


def test_killed_call(restate: FlaskRestate, durable: RunningTwin) -> None:
    """Of a call that an operator has killed it is not known how far it had come, and nobody says that it failed."""
    message, key = TodoRequest(task=f"client {uuid4()}"), str(uuid4())
    durable.writer.kill()
    with pytest.raises(PendingError) as pending:
        restate.call(add_todo, message, key)
    assert ask_admin(durable, "PATCH", f"/invocations/{pending.value.operation_id}/kill").ok
    assert durable.settle() == []
    assert restate.status(pending.value.operation_id).status == "unknown"
    with pytest.raises(OutcomeUnknownError):
        restate.call(add_todo, message, key)


def test_restart_as_new(restate: FlaskRestate, durable: RunningTwin) -> None:
    """A completed add that an operator restarts as new adds nothing: the ledger knows it by its key."""
    task = f"client {uuid4()}"
    operation_id = restate.send(add_todo, TodoRequest(task=task), str(uuid4()))
    assert durable.settle() == []
    again = ask_admin(durable, "PATCH", f"/invocations/{operation_id}/restart-as-new")
    assert again.ok, again.text
    assert again.json()["new_invocation_id"] != operation_id
    assert durable.settle() == []
    assert restate.status(again.json()["new_invocation_id"]).result == restate.status(operation_id).result
    assert durable.tasks(task) == [task]


def test_key_that_restate_has_forgotten(restate: FlaskRestate, durable: RunningTwin) -> None:
    """A form that is submitted again after Restate has forgotten its key adds nothing."""
    message, key = TodoRequest(task=f"client {uuid4()}"), str(uuid4())
    first = restate.call(add_todo, message, key)
    operation_id = restate.send(add_todo, message, key)
    assert ask_admin(durable, "PATCH", f"/invocations/{operation_id}/purge").ok
    with pytest.raises(OperationNotFoundError):
        restate.status(operation_id)
    assert restate.call(add_todo, message, key) == first
    assert durable.tasks(message.task) == [message.task]


def test_unknown_operation(restate: FlaskRestate) -> None:
    """An operation that Restate does not know is not found, whatever its id looks like."""
    for operation_id in ("x", "../x", "inv_16hVqTBnKXDv6vOmVJ4iTQ0JLFsPkVY3Bx"):
        with pytest.raises(OperationNotFoundError):
            restate.status(operation_id)


def test_ingress_down(app: Flask, restate: FlaskRestate) -> None:
    """An ingress that refuses connections for the whole budget is unavailable, for calls and for questions."""
    app.config.update(RESTATE_ENDPOINT="http://127.0.0.1:1", RESTATE_WRITE_BUDGET=0.2)
    with pytest.raises(UnavailableError, match="Connection refused"):
        restate.call(clear_todos, ClearRequest(), "key")
    with pytest.raises(StatusUnavailableError):
        restate.status("inv_x")
    with pytest.raises(requests.RequestException):
        restate.check()


def test_proxy_of_the_shell(restate: FlaskRestate, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy for the world outside is not asked for the way to the ingress."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    restate.check()


def test_answers_of_an_application_without_words(app: Flask, durable: RunningTwin) -> None:
    """An application that registers no error handlers answers 202, 404 and 503 by itself."""
    restate = FlaskRestate()
    restate.init_app(app)

    @app.post("/add")
    def add() -> str:
        return restate.call(add_todo, TodoRequest(task="words"), str(uuid4())).task

    @app.post("/delete")
    def delete() -> str:
        restate.call(delete_todo, TodoItemRequest(todo_id=1_999_999_999), str(uuid4()))
        return ""

    client = app.test_client()
    assert client.post("/add").text == "words"
    assert client.post("/delete").status_code == 404
    durable.writer.kill()
    pending = client.post("/add")
    assert (pending.status_code, pending.get_json()["status"]) == (202, "pending")
    app.config["RESTATE_ENDPOINT"] = "http://127.0.0.1:1"
    assert client.post("/add").status_code == 503
    app.extensions["restate"].close()


@pytest.mark.parametrize("way", ["", "/restate/call", "/restate/send"])
@pytest.mark.parametrize("handler", todo_service.handlers)
def test_bad_message(durable: RunningTwin, handler: str, way: str) -> None:
    """A message that is missing or cannot be parsed ends at once with 400, by each method and path of the ingress."""
    url = f"{durable.stack.ports.ingress_url}{way}/TodoService/{handler}"
    json = {"content-type": "application/json"}
    answers = [
        requests.request(method, url, headers=headers, data=body, timeout=10)
        for method, headers, body in [
            ("GET", {}, None),
            ("POST", {}, None),
            ("POST", json, None),
            ("POST", json, "null"),
            ("POST", json, "[1]"),
            ("POST", json, "{"),
            ("POST", {"content-type": "text/plain"}, "{}"),
        ]
    ]
    # What is only handed over is refused later, or at once.
    assert {answer.status_code for answer in answers} <= ({202, 400} if way.endswith("send") else {400})
    assert durable.settle() == []


def test_idempotency_key() -> None:
    """The same key and body make the same key; another of either, another one."""
    key = idempotency_key("id", "{}")
    assert key.startswith("id.")
    assert key == idempotency_key("id", "{}")
    assert len({key, idempotency_key("id", "[]"), idempotency_key("di", "{}")}) == 3
