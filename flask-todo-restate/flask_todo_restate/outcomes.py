"""Tells users what has become of a write that did not simply succeed."""

from dataclasses import dataclass

from flask import Flask, jsonify, redirect, request, session, url_for
from flask.typing import ResponseReturnValue

from flask_todo_restate.restate_client import (
    OperationNotFoundError,
    PendingError,
    RejectedError,
    UnavailableError,
    restate,
)
from todo_shared.errors import failure, is_api, unavailable

MAX_REMEMBERED = 10
"""How many pending operations a session remembers; they are in its cookie."""

WHAT = {
    "add_todo": "Your new todo",
    "update_todo": "Your change",
    "delete_todo": "Your deletion",
    "clear_todos": "Your clearing of the list",
}


@dataclass(frozen=True)
class Notice:
    """A line above the list; its kind is info or error."""

    text: str
    kind: str = "info"


def register(app: Flask) -> None:
    """Let the application answer a call's outcomes in these ways."""

    @app.errorhandler(PendingError)
    def pending(outcome: PendingError) -> ResponseReturnValue:
        if is_api():
            location = url_for("api.read_operation", operation_id=outcome.operation_id, _external=True)
            return (
                jsonify(id=outcome.operation_id, status="pending", url=location),
                202,
                {"Location": location},
            )
        what = WHAT[outcome.handler]
        if task := request.form.get("task"):
            what += f" “{task[:60]}”"
        remembered = session.get("pending", [])[-(MAX_REMEMBERED - 1) :]
        session["pending"] = [*remembered, (outcome.operation_id, what)]
        return redirect(url_for("todo_routes.index"))

    @app.errorhandler(RejectedError)
    def rejected(outcome: RejectedError) -> ResponseReturnValue:
        if outcome.status == 503:
            # This operation is over, so trying again means a new one.
            return unavailable(outcome.reason, keep_request_id=False)
        return failure(outcome.status, outcome.reason)

    @app.errorhandler(UnavailableError)
    def not_taken(outcome: UnavailableError) -> ResponseReturnValue:
        app.logger.warning("%s", outcome)
        # The ingress may have it all the same: only the answer may have been lost.
        return unavailable("Your change may not have been taken. It is safe to submit it again: it is made only once.")

    @app.errorhandler(OperationNotFoundError)
    def unknown_operation(outcome: OperationNotFoundError) -> ResponseReturnValue:
        return failure(404, str(outcome))

    app.jinja_env.globals["notices"] = notices


def notices() -> list[Notice]:
    """Return a notice for each remembered operation that is not done, and forget those that are settled."""
    remembered = session.get("pending", [])
    if not remembered:
        return []
    shown, still_pending = [], []
    for operation_id, what in remembered:
        try:
            operation = restate.operation(operation_id)
        except OperationNotFoundError:
            continue
        except UnavailableError:
            still_pending.append((operation_id, what))
            shown.append(Notice(f"{what} is saved and will be applied."))
            continue
        if operation.status == "pending":
            still_pending.append((operation_id, what))
            shown.append(Notice(f"{what} is saved and will be applied."))
        elif operation.status == "rejected":
            shown.append(Notice(f"{what} failed: {operation.reason}", "error"))
    session["pending"] = still_pending
    return shown
