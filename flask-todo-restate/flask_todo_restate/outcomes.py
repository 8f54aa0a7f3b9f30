"""Tells users what happened to a write that did not simply succeed."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import requests
from flask import Flask, Response, current_app, g, jsonify, redirect, request, url_for
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
from flask_todo_restate.pending import Call, Pending
from flask_todo_restate.remembered import forget, forget_in, remember, remembered
from todo_shared.errors import is_api, problem, refused, unavailable
from todo_shared.features.pages import local_time
from todo_shared.forms import new_request_id
from todo_shared.list_view import back, back_to_new
from todo_shared.models.database import outage as database
from todo_shared.outages import Outage
from todo_shared.pages import cleared
from todo_shared.schemas import ClearedData
from todo_shared.way import Hop


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


@dataclass(frozen=True)
class Notice:
    """A line above the list. Its kind is info or error."""

    text: str
    kind: str = "info"
    call: Call | None = None
    """What it is about, if that has ended."""


@dataclass(frozen=True)
class Waiting:
    """What a page tells: the calls that are pending, newest first, how many more there are, and notices."""

    calls: list[Call]
    more: int
    notices: list[Notice]

    def about(self, todo_id: int | None) -> list[Call]:
        """Return the calls about this todo; all if there is none."""
        return [call for call in self.calls if todo_id in (None, call.todo_id)]


def init_app(app: Flask, admin_url: str, dashboard_url: str) -> None:
    """Let the application call Restate, and register the answers to calls that did not simply succeed."""
    restate.init_app(app)
    pending_calls = Pending(app, admin_url, restate.check)

    @app.errorhandler(PendingError)
    def pending(outcome: PendingError) -> ResponseReturnValue:
        if is_api():
            location = url_for("api.read_operation", operation_id=outcome.operation_id, _external=True)
            body = jsonify(id=outcome.operation_id, status="pending", url=location)
            return body, 202, {"Location": location}
        place = back_to_new() if outcome.handler == "add_todo" else back()
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

    @app.post("/operations/<operation_id>/dismiss")
    def dismiss(operation_id: str) -> ResponseReturnValue:
        """Tell this browser no more of an operation."""
        forget(operation_id)
        return redirect(url_for("todo_routes.index"))

    @app.after_request
    def submitted_again(response: Response) -> Response:
        was_accepted = response.status_code == 302 and "instead_of" in request.form
        return forget_in(response, request.form["instead_of"]) if was_accepted else response

    def waiting() -> Waiting:
        if "waiting" not in g:
            g.waiting = _waiting(pending_calls)
        told: Waiting = g.waiting
        return told

    def way() -> list[Hop]:
        reached = restate.ingress.works
        service = pending_calls.look().service_works if reached else None
        return [
            Hop("Flask", works=True),
            Hop("Restate", works=reached, link=dashboard_url),
            Hop("service", works=service),
            Hop("PostgreSQL", works=database.works),
        ]

    helpers: dict[str, Callable[..., object]] = {"waiting": waiting, "way": way, "again": _again}
    helpers |= {"local_time": local_time, "new_request_id": new_request_id}
    app.jinja_env.globals.update(helpers, dashboard_url=dashboard_url)


def _waiting(pending: Pending) -> Waiting:
    """Return what Restate tells of all calls, and the ingress of those that this browser has just handed over."""
    own = remembered()
    told = pending.look(call.id for call in own)
    calls = {call.id: call for call in told.calls}
    notices = []
    asking = True
    for call in own:
        listed = calls.pop(call.id, call)
        operation = OperationState("pending")
        try:
            operation = restate.status(call.id, timeout=ASK_SECONDS) if asking else operation
        except OperationNotFoundError:
            forget(call.id)
            continue
        except StatusUnavailableError:
            # Do not ask about the others: the page would wait for Restate once for each of them.
            asking = False
        message = pending.message(call.id) or call.message
        if operation.status == "pending":
            # In front of the others, the latest first.
            calls = {call.id: replace(listed, message=message), **calls}
            continue
        pending.ended(call.id)
        if operation.status == "done" and call.handler == "clear_completed" and operation.result["kept"]:
            notices.append(Notice(cleared(ClearedData(**operation.result)), call=call))
        elif operation.status == "done":
            forget(call.id)
        else:
            notices.append(_ended(replace(call, message=message), operation))
    more = told.total - len(told.calls)
    if count := len(calls) + more:
        changes = "1 change is" if count == 1 else f"{count} changes are"
        notices.insert(0, Notice(f"{changes} saved and will be applied."))
    return Waiting([*calls.values()], more, notices)


def _ended(call: Call, operation: OperationState) -> Notice:
    what = f"{call.what} “{call.task}”" if call.task else call.what
    if operation.status == "unknown":
        return Notice(f"{what} was stopped, but may have been made. Please check the list.", "error", call)
    return Notice(f"{what} failed: {operation.reason}", "error", call)


def _again(call: Call) -> str:
    """Return where its form is to be submitted again; nothing if it cannot be by a form with only a task."""
    if call.handler not in ("add_todo", "update_todo", "delete_todo"):
        return ""
    return url_for(f"todo_routes.{call.handler}", todo_id=call.todo_id)
