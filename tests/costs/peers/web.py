"""The web application that all peers have in common: the routes of the plain twin that a durable add needs."""

from collections.abc import Callable

from flask import Blueprint, Flask, jsonify
from flask.typing import ResponseReturnValue
from pydantic import Field

from todo_shared import operations
from todo_shared.application import build_app
from todo_shared.json_api import as_json, created, read_body, read_idempotency_key
from todo_shared.models import db
from todo_shared.schemas import TodoData, TodoRequest, TodoRequestBody
from todo_shared.settings import Settings


class PeerSettings(Settings):
    """What every peer's web application reads from the environment."""

    write_budget: float = Field(default=2.0, gt=0, le=60)
    """Seconds that a request waits for its write to be done before it is answered as pending."""


class PendingError(Exception):
    """The add with this key is safe and will be done, but has not been yet."""


Add = Callable[[TodoRequest, str], TodoData]
"""Adds a todo once for this idempotency key; raises PendingError when the budget is used up."""


def build(title: str, settings: PeerSettings, add: Add) -> Flask:
    """Return the application of a peer that adds in this way."""
    app = build_app(__name__, title, settings)
    api = Blueprint("api", __name__, url_prefix="/api")

    @api.get("/todos")
    def list_todos() -> ResponseReturnValue:
        return jsonify([as_json(todo) for todo in operations.everything(db.session)])

    @api.post("/todos")
    def add_todo() -> ResponseReturnValue:
        new = read_body(TodoRequestBody)
        return created(add(new, read_idempotency_key()))

    @api.get("/todos/<int:todo_id>")
    def read_todo(todo_id: int) -> ResponseReturnValue:
        return jsonify(as_json(operations.find(db.session, todo_id)))

    @app.errorhandler(PendingError)
    def pending(outcome: PendingError) -> ResponseReturnValue:
        return jsonify(id=str(outcome), status="pending"), 202

    app.register_blueprint(api)
    # As in the twins: it has no cookies that a page of another site could misuse.
    app.extensions["csrf"].exempt(api)
    return app
