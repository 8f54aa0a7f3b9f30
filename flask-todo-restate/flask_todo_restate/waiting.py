"""What waits: the pending calls that a page lists, and what became of those that this browser was promised."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from flask import Flask, Response, current_app, g, redirect, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from flask_restate.extension import OperationNotFoundError, OperationState, StatusUnavailableError
from flask_todo_restate.outcomes import restate
from flask_todo_restate.pending import Call, Pending
from flask_todo_restate.remembered import (
    EARLIER,
    fields_of,
    forget,
    forget_in,
    forgotten_before,
    remembered,
    with_message,
)
from todo_shared.features.forms import FeatureForm
from todo_shared.features.pages import local_time
from todo_shared.forms import TodoForm, form_of, new_request_id
from todo_shared.list_view import back, back_to_todo
from todo_shared.models.database import outage as database
from todo_shared.pages import cleared
from todo_shared.schemas import ClearedData, TodoData
from todo_shared.way import Hop

# How long a page waits for the states of its operations.
ASK_SECONDS = 0.5


@dataclass(frozen=True)
class Notice:
    """A line above the list. Its kind is info or error."""

    text: str
    kind: str = "info"
    call: Call | None = None
    """What it is about, if that has ended."""
    submit: str = ""
    """Where its form is to be submitted again."""
    page: str = ""
    """Where its form is shown again, if more than a task was typed."""


@dataclass(frozen=True)
class Waiting:
    """What a page tells: the calls that are pending, newest first, how many more there are, and notices."""

    calls: Sequence[Call]
    more: int
    notices: Sequence[Notice]
    is_asked: bool
    """Whether Restate could be asked: without it, a call may have ended long ago."""

    @property
    def todo_ids(self) -> set[int | None]:
        """The todos that something is pending for."""
        return {call.todo_id for call in self.calls}

    def about(self, todo_id: int | None) -> list[Call]:
        """Return the calls about this todo; all if there is none."""
        return [call for call in self.calls if todo_id in (None, call.todo_id)]


def init_app(app: Flask, admin_url: str, dashboard_url: str) -> Pending:
    """Let pages tell what is pending, as the admin API at this address knows it, and return what asks there."""
    pending_calls = app.extensions["pending"] = Pending(app, admin_url, restate.check)

    @app.post("/operations/<operation_id>/dismiss")
    def dismiss(operation_id: str) -> ResponseReturnValue:
        """Tell this browser no more of an operation."""
        forget(operation_id)
        todo_id = request.form.get("todo", type=int)
        return redirect(back_to_todo(todo_id) if todo_id else back())

    @app.after_request
    def submitted_again(response: Response) -> Response:
        was_accepted = response.status_code == 302 and "instead_of" in request.form
        return forget_in(response, request.form["instead_of"]) if was_accepted else response

    def waiting(todos: Iterable[TodoData] = ()) -> Waiting:
        if "waiting" not in g:
            g.waiting = _waiting(pending_calls, todos)
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

    helpers: dict[str, Callable[..., object]] = {"waiting": waiting, "way": way}
    helpers |= {"local_time": local_time, "new_request_id": new_request_id}
    app.jinja_env.globals.update(helpers, dashboard_url=dashboard_url)
    return pending_calls


_NOTHING = Waiting(calls=[], more=0, notices=[], is_asked=True)


def _waiting(pending: Pending, todos: Iterable[TodoData]) -> Waiting:
    """Return what Restate tells of all calls, and the ingress of those that this browser has just handed over.

    The todos that the page shows are called by their tasks.
    """
    own = remembered()
    told = pending.look(call.id for call in own)
    earlier = forgotten_before()
    if not (own or told.total or earlier):
        return _NOTHING
    tasks = {todo.id: todo.task for todo in todos} if own or told.calls else {}
    calls = {call.id: call for call in told.calls}
    states, is_asked = _states(own, set(calls))
    notices = []
    for remembered_call in own:
        call = with_message(remembered_call, pending.message(remembered_call.id))
        listed = calls.pop(call.id, call)
        operation = states.get(call.id, OperationState("pending"))
        if operation is None:
            forget(call.id)
            continue
        if operation.status == "pending":
            # In front of the others, the latest first.
            calls = {call.id: replace(listed, message=call.message), **calls}
            continue
        pending.ended(call.id)
        if operation.status == "done" and call.handler == "clear_completed" and operation.result["kept"]:
            notices.append(Notice(cleared(ClearedData(**operation.result)), call=call))
        elif operation.status == "done":
            forget(call.id)
        else:
            notices.append(_ended(replace(call, todo=tasks.get(call.todo_id or 0, "")), operation))
    more = told.total - len(told.calls)
    if count := len(calls) + more:
        saved, them = ("1 change is saved", "it") if count == 1 else (f"{count} changes are saved", "them")
        then = " and will be applied." if is_asked else f". What became of {them} is told as soon as Restate answers."
        notices.insert(0, Notice(saved + then))
    if earlier:
        text = f"Of {earlier} more that you made before, this page cannot tell any more what became of them."
        notices.append(Notice(text, call=Call(EARLIER, "")))
    named = [replace(call, todo=tasks.get(call.todo_id or 0, "")) for call in calls.values()]
    return Waiting(named, more, notices, is_asked)


def _states(calls: Iterable[Call], listed: set[str]) -> tuple[dict[str, OperationState | None], bool]:
    """Return the states of these calls, None for one that Restate has forgotten, and whether it has told enough.

    Those that are listed as pending come last: for these there is another answer, if there is no time left.
    """
    states: dict[str, OperationState | None] = {}
    end = time.monotonic() + ASK_SECONDS
    for call in sorted(calls, key=lambda call: call.id in listed):
        if (left := end - time.monotonic()) <= 0:
            return states, call.id in listed
        try:
            states[call.id] = restate.status(call.id, timeout=left)
        except OperationNotFoundError:
            states[call.id] = None
        except StatusUnavailableError:
            return states, False
    return states, True


def _ended(call: Call, operation: OperationState) -> Notice:
    what = f"{call.what}{' to' if call.todo_id else ''} “{call.task}”" if call.task else call.what
    form = _form(call)
    is_on_todo = bool(call.todo_id and isinstance(form, FeatureForm) and fields_of(form))
    if is_on_todo and call.typed:
        # The todo may have no such form any more.
        what += f" ({', '.join(f'{name} {value}' for name, value in call.typed.items() if value)})"
    text = f"{what} failed: {operation.reason}"
    if operation.status == "unknown":
        text = f"{what} was stopped, but may have been made. Please check the list."
    if is_on_todo and call.todo_id:
        section = call.endpoint.removeprefix("todo_routes.").removesuffix("_form")
        return Notice(text, "error", call, page=f"{back_to_todo(call.todo_id, instead_of=call.id)}#{section}")
    return Notice(text, "error", call, submit=url_for(call.endpoint, todo_id=call.todo_id) if form else "")


def _form(call: Call) -> TodoForm | None:
    return form_of(call.endpoint, MultiDict(call.typed))


def typed_before() -> TodoForm | None:
    """Return the form that this request wants to try again, as it was typed; None if it wants none."""
    wanted = request.args.get("instead_of")
    for call in remembered():
        if call.id == wanted:
            pending: Pending = current_app.extensions["pending"]
            return _form(call if call.typed else with_message(call, pending.read(call.id)))
    return None
