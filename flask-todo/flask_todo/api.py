"""The JSON API, which follows the public Todo-Backend contract."""

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from flask_todo import meeting
from flask_todo.features import WRITES
from flask_todo.notification import notify
from todo_shared import operations
from todo_shared.features.routes import add_api
from todo_shared.json_api import as_json, cleared, created, listing, read_body, read_idempotency_key
from todo_shared.models import db
from todo_shared.schemas import TodoChangesBody, TodoRequestBody

api = Blueprint("api", __name__, url_prefix="/api")

TODO = "/todos/<int:todo_id>"


@api.get("/todos")
def list_todos() -> ResponseReturnValue:
    """Return the todos, oldest first, a thousand at a time; a Link header leads to the next."""
    return listing()


@api.post("/todos")
def add_todo() -> ResponseReturnValue:
    """Add a todo."""
    new = read_body(TodoRequestBody)
    read_idempotency_key()
    todo = operations.add(db.session, new.task, new.order)
    db.session.commit()
    return created(todo)


@api.delete("/todos")
def clear_todos() -> ResponseReturnValue:
    """Delete all todos but those that are being paid, or were; these are named."""
    read_idempotency_key()
    return cleared(meeting.clear_todos())


@api.get(TODO)
def read_todo(todo_id: int) -> ResponseReturnValue:
    """Return one todo."""
    return jsonify(as_json(operations.find(db.session, todo_id)))


@api.patch(TODO)
def update_todo(todo_id: int) -> ResponseReturnValue:
    """Change a todo."""
    changes = read_body(TodoChangesBody)
    read_idempotency_key()
    todo = operations.update(db.session, todo_id, changes.given())
    db.session.commit()
    notify(todo)
    return jsonify(as_json(todo))


@api.delete(TODO)
def delete_todo(todo_id: int) -> ResponseReturnValue:
    """Delete a todo."""
    read_idempotency_key()
    meeting.delete_todo(todo_id)
    return "", 204


add_api(api, WRITES)
