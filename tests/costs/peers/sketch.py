"""What the sketches of the peers share: settings, sessions on the database, and the routes that a durable add needs."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask, jsonify
from flask.typing import ResponseReturnValue
from pydantic import Field
from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker

from todo_shared import garbage, operations
from todo_shared.application import build_app
from todo_shared.json_api import as_json, created, read_body, read_idempotency_key
from todo_shared.models import db
from todo_shared.models.database import complete_url, engine_options
from todo_shared.schemas import TodoData, TodoRequest, TodoRequestBody
from todo_shared.settings import Settings, load


class PeerSettings(Settings):
    """What every process of a peer reads from the environment."""

    write_budget: float = Field(default=2.0, gt=0, le=60)
    """Seconds that a request waits for its write to be done before it is answered as pending."""

    server_address: str = ""
    """host:port of the server that is a peer's own, if it has one."""


settings = load(PeerSettings)
engine = create_engine(settings.database_url, **engine_options(settings))
sessions = sessionmaker(engine, expire_on_commit=False)
_url = complete_url(settings.database_url, settings).set(drivername="postgresql")
DATABASE_URL = _url.render_as_string(hide_password=False)
# As in the twins, in every process of a peer.
garbage.collect_seldom()

Add = Callable[[TodoRequest, str], dict[str, Any]]
"""Adds a todo once for this idempotency key; raises TimeoutError when it is safe and not done within the budget."""


def insert_todo(session: Session, task: str, order: int | None) -> dict[str, Any]:
    """Insert a todo and return it as JSON has it; the caller commits."""
    return TodoData.model_validate(operations.add(session, task, order)).model_dump()


def web_application(title: str, add: Add) -> Flask:
    """Return the web application of a peer that adds in this way."""
    app = build_app(__name__, title, settings)
    api = Blueprint("api", __name__, url_prefix="/api")

    @api.post("/todos")
    def add_todo() -> ResponseReturnValue:
        new, key = read_body(TodoRequestBody), read_idempotency_key()
        try:
            return created(TodoData(**add(new, key)))
        except TimeoutError:
            return jsonify(id=key, status="pending"), 202

    @api.get("/todos/<int:todo_id>")
    def read_todo(todo_id: int) -> ResponseReturnValue:
        return jsonify(as_json(operations.find(db.session, todo_id)))

    app.register_blueprint(api)
    # As in the twins: it has no cookies that a page of another site could misuse.
    app.extensions["csrf"].exempt(api)
    return app
