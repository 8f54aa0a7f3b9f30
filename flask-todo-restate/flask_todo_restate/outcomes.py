"""Tells users what happened to a write that did not simply succeed."""

import requests
from flask import Flask, current_app, g, has_request_context, jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue

from flask_restate import FlaskRestate
from flask_restate.extension import (
    Handles,
    Message,
    OperationState,
    OutcomeUnknownError,
    PendingError,
    RejectedError,
    Result,
    UnavailableError,
)
from flask_todo_restate.remembered import remember
from todo_shared.errors import is_api, problem, refused, unavailable
from todo_shared.list_view import back, back_to_new, back_to_todo
from todo_shared.outages import Outage
from todo_shared.thread_pool import aside


class WatchedRestate(FlaskRestate):
    """Tells the log when calls begin to fail, and when they succeed again."""

    ingress = Outage("Restate's ingress")
    service = Outage("the TodoService")

    def call(self, handler: Handles[Message, Result], message: Message, key: str, object_key: str = "") -> Result:
        """Call a handler. One that is late may be waiting for the database."""
        try:
            with self.ingress.watched(UnavailableError), aside():
                result = super().call(handler, message, key, object_key)
        except PendingError as late:
            g.told, g.invocation_id = "pending", late.operation_id
            self.service.failed(f"{late.handler} takes longer than {current_app.config['RESTATE_WRITE_BUDGET']:g} s")
            raise
        except (UnavailableError, OutcomeUnknownError):
            g.told = "unknown"
            raise
        except RejectedError as outcome:
            # A delete that was tried for long, for one; the database that has no number left has refused.
            g.told = "unknown" if (outcome.code or 500) >= 500 and outcome.code != 507 else "fail"
            raise
        self.service.ended()
        return result

    def status(self, operation_id: str, timeout: float | None = None) -> OperationState:
        """Return the state of a call. One that is done was only late."""
        with aside():
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


def init_app(app: Flask) -> None:
    """Let the application call Restate, and register the answers to calls that did not simply succeed."""
    restate.init_app(app)
    app.extensions["restate"].on_answer.append(_keep_invocation_id)

    @app.errorhandler(PendingError)
    def pending(outcome: PendingError) -> ResponseReturnValue:
        if is_api():
            location = url_for("api.read_operation", operation_id=outcome.operation_id, _external=True)
            body = jsonify(id=outcome.operation_id, status="pending", url=location)
            return body, 202, {"Location": location}
        place = back_to_new() if outcome.handler == "add_todo" else back()
        if request.view_args and request.path.startswith("/todos/"):
            place = back_to_todo(request.view_args["todo_id"])
        response = current_app.make_response(redirect(place))
        remember(response, outcome.operation_id, outcome.handler)
        return response

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


def _keep_invocation_id(response: requests.Response) -> None:
    """Let the log tell which call a request has made, or joined."""
    if has_request_context() and (invocation_id := response.headers.get("x-restate-id")):
        g.invocation_id = invocation_id
