"""The JSON API, in the terms of the public Todo-Backend contract."""

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from flask_todo_restate.messages import TodoItemRequest, TodoRequest, TodoUpdateRequest
from flask_todo_restate.restate_client import restate_client
from todo_shared import operations
from todo_shared.json_api import as_json, created, read_body, read_idempotency_key
from todo_shared.models import db
from todo_shared.schemas import NewTodoBody, TodoChangesBody, TodoData

api = Blueprint("api", __name__, url_prefix="/api")

TODO = "/todos/<int:todo_id>"


@api.get("/todos")
def list_todos() -> ResponseReturnValue:
    """Return all todos."""
    return jsonify([as_json(todo) for todo in operations.everything(db.session)])


@api.post("/todos")
def add_todo() -> ResponseReturnValue:
    """Add a todo."""
    new = read_body(NewTodoBody)
    todo = restate_client.call("add_todo", TodoRequest(task=new.task, order=new.order), read_idempotency_key())
    return created(TodoData(**todo))


@api.delete("/todos")
def clear_todos() -> ResponseReturnValue:
    """Delete all todos."""
    restate_client.call("clear_todos", None, read_idempotency_key())
    return "", 204


@api.get(TODO)
def read_todo(todo_id: int) -> ResponseReturnValue:
    """Return one todo."""
    return jsonify(as_json(operations.find(db.session, todo_id)))


@api.patch(TODO)
def update_todo(todo_id: int) -> ResponseReturnValue:
    """Change a todo."""
    changes = read_body(TodoChangesBody)
    update = TodoUpdateRequest(todo_id=todo_id, **changes.given())
    todo = restate_client.call("update_todo", update, read_idempotency_key())
    return jsonify(as_json(TodoData(**todo)))


@api.delete(TODO)
def delete_todo(todo_id: int) -> ResponseReturnValue:
    """Delete a todo."""
    restate_client.call("delete_todo", TodoItemRequest(todo_id=todo_id), read_idempotency_key())
    return "", 204


@api.get("/operations/<operation_id>")
def read_operation(operation_id: str) -> ResponseReturnValue:
    """Return what has become of an operation that was answered with 202."""
    operation = restate_client.operation(operation_id)
    body: dict[str, object] = {"id": operation_id, "status": operation.status}
    if operation.status == "done":
        body["result"] = as_json(operation.todo) if operation.todo else None
    elif operation.status == "rejected":
        body["reason"] = operation.reason
    return jsonify(body)
