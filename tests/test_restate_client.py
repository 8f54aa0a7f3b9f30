"""The client of the ingress tells apart what its callers must tell apart."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from flask_todo_restate.messages import TodoItemRequest, TodoRequest
from flask_todo_restate.restate_client import (
    OperationNotFoundError,
    PendingError,
    QuestionError,
    RejectedError,
    RestateClient,
    UnavailableError,
    idempotency_key,
)
from tests.lab.twins import Twin, twins_of
from todo_stack.stack import Stack


@pytest.fixture
def durable(stack: Stack) -> Twin:
    """The Restate twin."""
    return twins_of(stack)["restate"]


@pytest.fixture
def client(stack: Stack) -> Iterator[RestateClient]:
    """A client with a short write budget."""
    client = RestateClient(stack.ports.ingress_url, write_budget=1)
    yield client
    client.close()


def test_result(client: RestateClient, durable: Twin) -> None:
    """A call returns the handler's result, and the same one again for the same request id."""
    task, request_id = f"client {uuid4()}", str(uuid4())
    first = client.call("add_todo", TodoRequest(task=task), request_id)
    assert first["task"] == task
    assert client.call("add_todo", TodoRequest(task=task), request_id) == first
    assert durable.tasks(task) == [task]


def test_rejection(client: RestateClient) -> None:
    """What the handler refuses is a rejection with its status and reason, also when it is asked for again."""
    request_id = str(uuid4())
    for _ in range(2):
        with pytest.raises(RejectedError, match=r"There is no todo 1999999999\.") as rejection:
            client.call("delete_todo", TodoItemRequest(todo_id=1_999_999_999), request_id)
        assert rejection.value.status == 404


def test_handler_that_is_not_registered(client: RestateClient) -> None:
    """The ingress' own 404 is no answer of a handler: nothing is there to take the call, perhaps not yet."""
    with pytest.raises(UnavailableError, match="not found"):
        client.call("no_such_handler", TodoRequest(task="x"), str(uuid4()))


def test_pending(client: RestateClient, durable: Twin) -> None:
    """Without its service endpoint a call is pending, and can be followed until it is done."""
    task = f"client {uuid4()}"
    durable.writer.kill()
    with pytest.raises(PendingError) as pending:
        client.call("add_todo", TodoRequest(task=task), str(uuid4()))
    operation_id = pending.value.operation_id
    assert client.operation(operation_id).status == "pending"
    durable.writer.start()
    assert durable.settle() == []
    done = client.operation(operation_id)
    assert (done.status, done.todo and done.todo.task) == ("done", task)
    assert durable.rows("SELECT count(*) FROM operation WHERE operation_id = %s", f"{operation_id}/db_add") == [(1,)]


def test_unknown_operation(client: RestateClient) -> None:
    """An operation that Restate does not know is not found, whatever its id looks like."""
    for operation_id in ("x", "../x", "inv_16hVqTBnKXDv6vOmVJ4iTQ0JLFsPkVY3Bx"):
        with pytest.raises(OperationNotFoundError):
            client.operation(operation_id)


def test_ingress_away() -> None:
    """An ingress that refuses connections for the whole budget is unavailable, for calls and for questions."""
    client = RestateClient("http://127.0.0.1:1", write_budget=0.2)
    with pytest.raises(UnavailableError, match="cannot be reached"):
        client.call("add_todo", TodoRequest(task="x"), "id")
    with pytest.raises(QuestionError):
        client.operation("inv_x")
    client.close()


def test_idempotency_key() -> None:
    """The same request id and body make the same key; another of either, another key."""
    key = idempotency_key("id", "{}")
    assert key.startswith("id.")
    assert key == idempotency_key("id", "{}")
    assert len({key, idempotency_key("id", "[]"), idempotency_key("di", "{}")}) == 3
