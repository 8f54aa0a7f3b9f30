"""The JSON API, which follows the public Todo-Backend contract."""

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from flask_todo_restate.features import WRITES
from flask_todo_restate.outcomes import restate
from flask_todo_restate.services import todo_service
from todo_shared import operations, schemas
from todo_shared.features.routes import add_api
from todo_shared.json_api import as_json, cleared, created, listing, read_body, read_idempotency_key
from todo_shared.models import db

api = Blueprint("api", __name__, url_prefix="/api")

TODO = "/todos/<int:todo_id>"


@api.get("/todos")
def list_todos() -> ResponseReturnValue:
    """Return the todos, oldest first, a thousand at a time; a Link header leads to the next."""
    return listing()


@api.post("/todos")
def add_todo() -> ResponseReturnValue:
    """Add a todo."""
    new = read_body(schemas.TodoRequestBody)
    return created(restate.call(todo_service.add_todo, new, read_idempotency_key()))


@api.delete("/todos")
def clear_todos() -> ResponseReturnValue:
    """Delete all todos but those that are being paid, or were; these are named."""
    return cleared(restate.call(todo_service.clear_todos, schemas.ClearRequest(), read_idempotency_key()))


@api.get(TODO)
def read_todo(todo_id: int) -> ResponseReturnValue:
    """Return one todo."""
    return jsonify(as_json(operations.find(db.session, todo_id)))


@api.patch(TODO)
def update_todo(todo_id: int) -> ResponseReturnValue:
    """Change a todo."""
    changes = read_body(schemas.TodoChangesBody)
    update = schemas.TodoUpdateRequest(todo_id=todo_id, **changes.given())
    return jsonify(as_json(restate.call(todo_service.update_todo, update, read_idempotency_key())))


@api.delete(TODO)
def delete_todo(todo_id: int) -> ResponseReturnValue:
    """Delete a todo."""
    restate.call(todo_service.delete_todo, schemas.TodoItemRequest(todo_id=todo_id), read_idempotency_key())
    return "", 204


@api.get("/operations/<operation_id>")
def read_operation(operation_id: str) -> ResponseReturnValue:
    """Return the state of an operation that was answered with 202."""
    operation = restate.status(operation_id)
    body: schemas.OperationJson = {"id": operation_id, "status": operation.status}
    if operation.status == "done":
        body["result"] = (
            as_json(schemas.TodoData(**result)) if "task" in (result := operation.result or {}) else operation.result
        )
    elif operation.status == "rejected":
        body["reason"] = operation.reason
    return jsonify(body)


add_api(api, WRITES)
