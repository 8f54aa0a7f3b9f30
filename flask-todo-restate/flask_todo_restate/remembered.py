"""What this browser was promised: a cookie for each call, so that forms sent at one moment do not overwrite another."""

from collections.abc import Mapping
from typing import Any

from flask import Response, after_this_request, current_app, request
from itsdangerous import BadData, URLSafeSerializer

from flask_todo_restate.pending import Call
from todo_shared.forms import TodoForm, UpdateForm, form_of

PREFIX = "pending-"
EARLIER = "earlier"
"""Stands for the calls that had to be forgotten."""
# The page asks for each of them.
MAX_REMEMBERED = 20
# Browsers take cookies of 4,096 bytes. All are in one header, for which gunicorn takes 8,190: half of them are left for
# those of other applications, and for calls that are made at one moment and do not know of one another.
MAX_BYTES = 3800
MAX_BYTES_IN_ALL = 4000
# As long as Restate keeps a call that is completed.
SECONDS = 24 * 60 * 60


def remember(response: Response, operation_id: str, handler: str) -> None:
    """Remember the call that this request, which is a form, has made, and of the earlier ones the latest."""
    about = [handler, request.endpoint, request.view_args or {}]
    form = form_of(request.endpoint, request.form)
    value = _serialized([*about, typed_in(form) if form else {}])
    if len(value) > MAX_BYTES:  # No text that is accepted is so long, but a number may be written so.
        value = _serialized([*about, {}])
    _set(response, operation_id, value)
    room, kept = MAX_BYTES_IN_ALL - len(PREFIX + operation_id + value), 1
    others = [call.id for call in remembered() if call.id not in (operation_id, request.form.get("instead_of"))]
    forgotten = 0
    for earlier in reversed(others):
        room, kept = room - len(PREFIX + earlier + request.cookies[PREFIX + earlier]), kept + 1
        if room < 0 or kept > MAX_REMEMBERED:
            forget_in(response, earlier)
            forgotten += 1
    if forgotten:
        _set(response, EARLIER, _serialized(forgotten + forgotten_before()))


def typed_in(form: TodoForm) -> Mapping[str, Any]:
    """Return what was typed into a form that was accepted."""
    if isinstance(form, UpdateForm):
        return form.changes().given()
    own = (field for field in form if field.raw_data and field.name not in ("csrf_token", "request_id"))
    return {field.name: str(field.data).strip() for field in own}


def remembered() -> list[Call]:
    """Return what is remembered, in the order in which it was promised."""
    calls = []
    for operation_id in (name.removeprefix(PREFIX) for name in request.cookies if name.startswith(PREFIX)):
        try:
            if operation_id != EARLIER:
                handler, endpoint, about, typed = _serializer().loads(request.cookies[PREFIX + operation_id])
                calls.append(Call(operation_id, handler, {**typed, **about}, endpoint=endpoint, typed=typed))
        except (BadData, TypeError, ValueError):
            forget(operation_id)
    return calls


def forgotten_before() -> int:
    """Return how many calls had to be forgotten, since the user was told so and has dismissed that."""
    try:
        return int(_serializer().loads(request.cookies[PREFIX + EARLIER]))
    except (BadData, KeyError):
        return 0


def forget(operation_id: str) -> None:
    """Forget a call: with the answer to this request."""
    after_this_request(lambda response: forget_in(response, operation_id))


def forget_in(response: Response, operation_id: str) -> Response:
    """Forget a call with this answer, which is returned."""
    if (name := f"{PREFIX}{operation_id}") in request.cookies:
        response.delete_cookie(name)
    return response


def _set(response: Response, operation_id: str, value: str) -> None:
    response.set_cookie(
        f"{PREFIX}{operation_id}",
        value,
        max_age=SECONDS,
        secure=bool(current_app.config["SESSION_COOKIE_SECURE"]),
        httponly=True,
        samesite="Lax",
    )


def _serialized(value: object) -> str:
    return str(_serializer().dumps(value))


def _serializer() -> URLSafeSerializer:
    # Not ASCII only: that would make most scripts three times as long.
    short = {"ensure_ascii": False}
    return URLSafeSerializer(current_app.config["SECRET_KEY"], salt="pending", serializer_kwargs=short)
