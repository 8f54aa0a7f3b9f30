"""The application: three writes of the plain twin's API, each once for each Idempotency-Key; all else is the twin's.

As good as Restate for one write whose client asks again. Nobody asks again for a client that has gone, for a reminder
that is due, or for the second step of two.
"""

import uuid
from collections.abc import Callable
from typing import TypeVar

from flask import Flask, jsonify, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from flask_restate import Ledger, LedgerMixin
from flask_restate.extension import idempotency_key
from flask_restate.ledger import MIGRATIONS
from flask_todo.api import api
from flask_todo.routes import todo_routes
from todo_shared import operations
from todo_shared.application import add_routes, build_app
from todo_shared.features import payment
from todo_shared.features.errors import DeclinedError
from todo_shared.features.outside import OutsideWorld
from todo_shared.features.schemas import PaymentData
from todo_shared.json_api import created, read_body, read_idempotency_key
from todo_shared.models import db
from todo_shared.models.database import Base
from todo_shared.schemas import TodoData, TodoRequestBody
from todo_shared.settings import Settings, load

Result = TypeVar("Result")

world = OutsideWorld("ledger")


class Operation(LedgerMixin, Base):
    """A write that was made."""


ledger = Ledger(Operation, lambda: Session(db.engine, expire_on_commit=False))


def create_app(settings: Settings | None = None) -> Flask:
    """Return the application, with settings from the environment unless they are given."""
    app = build_app(__name__, "ledger-only", settings or load(Settings), migrations=[MIGRATIONS])
    add_routes(app, todo_routes, api)
    app.view_functions.update({"api.add_todo": add_todo, "api.delete_todo": delete_todo, "api.pay_bounty": pay_bounty})
    return app


def once(change: Callable[[Session], Result]) -> Result:
    """Make this change once for the key of this request."""
    key = idempotency_key(read_idempotency_key(), request.get_data(as_text=True))
    return ledger.apply(f"{request.method} {request.path}/{key}/{change.__name__}", change)


def add_todo() -> ResponseReturnValue:
    """Add a todo."""
    new = read_body(TodoRequestBody)

    def db_add(session: Session) -> TodoData:
        return operations.add(session, new.task, new.order)

    return created(once(db_add))


def delete_todo(todo_id: int) -> ResponseReturnValue:
    """Delete a todo."""

    def db_delete(session: Session) -> None:
        operations.delete(session, todo_id)

    once(db_delete)
    return "", 204


def pay_bounty(todo_id: int) -> ResponseReturnValue:
    """Pay the bounty: a request that is repeated goes on where the first one ended."""
    payment_id = str(uuid.uuid4())

    def db_open(session: Session) -> PaymentData:
        return payment.open_payment(session, todo_id, payment_id)

    def db_declined(session: Session) -> PaymentData:
        return payment.record(session, opened.id, "declined", reason=reason)

    def db_paid(session: Session) -> PaymentData:
        return payment.record(session, opened.id, "paid", charge=charge)

    opened = once(db_open)
    try:
        charge = payment.charge(world, todo_id, opened)
    except DeclinedError as declined:
        reason = str(declined)
        once(db_declined)
        raise
    paid = once(db_paid)
    return jsonify(paid.model_dump()), 201, {"Location": url_for("api.read_payment", todo_id=todo_id, _external=True)}
