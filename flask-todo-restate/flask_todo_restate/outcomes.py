"""Tells users what happened to a write that did not simply succeed."""

from dataclasses import dataclass

import requests
from flask import Flask, current_app, jsonify, redirect, request, session, url_for
from flask.typing import ResponseReturnValue

from flask_restate import FlaskRestate
from flask_restate.extension import (
    Handles,
    Message,
    OperationNotFoundError,
    OperationState,
    PendingError,
    RejectedError,
    Result,
    StatusUnavailableError,
    UnavailableError,
)
from todo_shared.errors import is_api, problem, refused, unavailable
from todo_shared.outages import Outage


class WatchedRestate(FlaskRestate):
    """Tells the log when calls begin to fail, and when they succeed again."""

    ingress = Outage("Restate's ingress")
    service = Outage("the TodoService")

    def call(self, handler: Handles[Message, Result], message: Message, key: str, object_key: str = "") -> Result:
        """Call a handler. One that is late may be waiting for the database."""
        try:
            with self.ingress.watched(UnavailableError):
                result = super().call(handler, message, key, object_key)
        except PendingError as late:
            self.service.failed(f"{late.handler} takes longer than {current_app.config['RESTATE_WRITE_BUDGET']:g} s")
            raise
        self.service.ended()
        return result

    def status(self, operation_id: str, timeout: float | None = None) -> OperationState:
        """Return the state of a call. One that is done was only late."""
        operation = super().status(operation_id, timeout)
        if operation.status == "done":
            self.service.ended()
        return operation

    def check(self) -> None:
        """Check the ingress."""
        with self.ingress.watched(requests.RequestException):
            super().check()


restate = WatchedRestate()
"""Calls the TodoService."""

# How long a page waits for the state of an operation.
ASK_SECONDS = 0.3
# How many pending operations a session remembers. They are in its cookie.
MAX_REMEMBERED = 10
WHAT = {"add_todo": "Your new todo", "update_todo": "Your change", "delete_todo": "Your deletion"}
WHAT |= {"clear_completed": "Deleting the completed todos"}
WHAT |= {
    "set_bounty": "The bounty",
    "drop_bounty": "Taking the bounty off",
    "pay": "The payment",
    "refund": "The refund",
    "plan_meeting": "The meeting",
    "cancel_meeting": "Cancelling the meeting",
}
WHAT |= {
    "set_watcher": "The watcher",
    "drop_watcher": "Taking the watcher away",
    "set_reminder": "The reminder",
    "cancel_reminder": "Cancelling the reminder",
}


@dataclass(frozen=True)
class Notice:
    """A line above the list. Its kind is info or error."""

    text: str
    kind: str = "info"


def init_app(app: Flask) -> None:
    """Let the application call Restate, and register the answers to calls that did not simply succeed."""
    restate.init_app(app)

    @app.errorhandler(PendingError)
    def pending(outcome: PendingError) -> ResponseReturnValue:
        if is_api():
            location = url_for("api.read_operation", operation_id=outcome.operation_id, _external=True)
            body = jsonify(id=outcome.operation_id, status="pending", url=location)
            return body, 202, {"Location": location}
        session["pending"] = _remember(session.get("pending", {}), outcome)
        return redirect(url_for("todo_routes.index"))

    @app.errorhandler(RejectedError)
    def rejected(outcome: RejectedError) -> ResponseReturnValue:
        status = outcome.code or 500
        # This operation has ended, so another try needs a new one.
        if is_api() and status >= 500:
            return problem(status, outcome.reason, retry="with a new Idempotency-Key")
        return refused(status, outcome.reason)

    @app.errorhandler(UnavailableError)
    def not_taken(outcome: UnavailableError) -> ResponseReturnValue:
        del outcome
        # The ingress may have accepted the call: perhaps only its answer was lost.
        return unavailable("Your change may not have been saved. It is safe to submit it again: it is made only once.")

    app.jinja_env.globals["notices"] = notices


def notices() -> list[Notice]:
    """Return a notice for each remembered operation that did not succeed yet, and forget those that ended."""
    remembered: dict[str, str] = session.get("pending", {})
    shown, unsettled = [], {}
    asking = True
    for operation_id, what in remembered.items():
        operation = OperationState("pending")
        try:
            operation = restate.status(operation_id, timeout=ASK_SECONDS) if asking else operation
        except OperationNotFoundError:
            continue
        except StatusUnavailableError:
            # Do not ask about the others: the page would wait for Restate once for each of them.
            asking = False
        if operation.status == "pending":
            unsettled[operation_id] = what
            shown.append(Notice(f"{what} is saved and will be applied."))
        elif operation.status == "rejected":
            shown.append(Notice(f"{what} failed: {operation.reason}", "error"))
        elif operation.status == "unknown":
            shown.append(Notice(f"{what} was stopped, but may have been made. Please check the list.", "error"))
    if unsettled != remembered:
        session["pending"] = unsettled
    return shown


def _remember(remembered: dict[str, str], outcome: PendingError) -> dict[str, str]:
    """Return what the session should remember: this operation and the latest ones before it."""
    what = WHAT[outcome.handler]
    if task := request.form.get("task"):
        what += f" “{task[:60]}”"
    elif request.view_args:
        what += f" of todo {request.view_args['todo_id']}"
    return dict(list({**remembered, outcome.operation_id: what}.items())[-MAX_REMEMBERED:])
