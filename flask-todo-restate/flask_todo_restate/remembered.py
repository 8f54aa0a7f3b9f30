"""What this browser was promised: a cookie for each call, so that forms sent at one moment do not overwrite another."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from flask import Response, after_this_request, current_app, request
from itsdangerous import BadData, URLSafeSerializer
from werkzeug.datastructures import MultiDict
from wtforms import Field

from flask_todo_restate.calls import Call
from todo_shared.forms import TodoForm, UpdateForm, form_of

PREFIX = "pending-"
EARLIER = "earlier"
"""Stands for the calls that had to be forgotten."""
# The page asks for each of them.
MAX_REMEMBERED = 20
# All cookies are in one header, for which gunicorn takes 8,190 bytes: most of them are left for those of other
# applications, and for calls that are made at one moment and do not know of one another.
MAX_BYTES = 1000
MAX_BYTES_IN_ALL = 2500
# Of what Restate has, what is as it was typed. Amounts and times are not.
AS_TYPED = ("task", "url", "minutes", "room", "invite")
# As long as Restate keeps a call that is completed.
SECONDS = 24 * 60 * 60


def remember(response: Response, operation_id: str, handler: str) -> None:
    """Remember the call that this request, which is a form, has made, and of the earlier ones the latest."""
    about = [handler, request.endpoint, request.view_args or {}]
    form = form_of(request.endpoint, request.form)
    value = _serialized(operation_id, [*about, typed_in(form) if form else {}])
    if len(value) > MAX_BYTES:  # Restate has what was asked for.
        value = _serialized(operation_id, [*about, {}])
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
        _set(response, EARLIER, _serialized(EARLIER, forgotten + forgotten_before()))


def typed_in(form: TodoForm) -> Mapping[str, Any]:
    """Return what was typed into a form that was accepted."""
    if isinstance(form, UpdateForm):
        return form.changes().given()
    return {field.name: str(field.data).strip() for field in fields_of(form) if field.raw_data}


def fields_of(form: TodoForm) -> list[Field]:
    """Return the fields that users fill in."""
    return [field for field in form if field.name not in ("csrf_token", "request_id")]


def with_message(call: Call, message: Mapping[str, Any]) -> Call:
    """Return a call with what it asked for, if that is known, and what was typed, if that was too long to remember."""
    form = None if call.typed else form_of(call.endpoint, MultiDict())
    names = [field.name for field in fields_of(form) if field.name in AS_TYPED] if form else []
    typed = call.typed or {name: str(message[name]) for name in names if name in message}
    return replace(call, message=message or call.message, typed=typed)


def remembered() -> list[Call]:
    """Return what is remembered, in the order in which it was promised."""
    calls = []
    for name, value in request.cookies.items():
        operation_id = name.removeprefix(PREFIX)
        # What cannot be read may be another application's on this host.
        with suppress(BadData, TypeError, ValueError):
            if name.startswith(PREFIX) and operation_id != EARLIER:
                handler, endpoint, about, typed = _serializer(operation_id).loads(value)
                calls.append(Call(operation_id, handler, {**typed, **about}, endpoint=endpoint, typed=typed))
    return calls


def forgotten_before() -> int:
    """Return how many calls had to be forgotten, since the user was told so and has dismissed that."""
    if not (value := request.cookies.get(PREFIX + EARLIER)):
        return 0
    try:
        return int(_serializer(EARLIER).loads(value))
    except (BadData, TypeError, ValueError):
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


def _serialized(operation_id: str, value: object) -> str:
    return str(_serializer(operation_id).dumps(value))


def _serializer(operation_id: str) -> URLSafeSerializer:
    # Not ASCII only: that would make most scripts three times as long.
    short = {"ensure_ascii": False}
    salt = f"{PREFIX}{operation_id}"
    return URLSafeSerializer(current_app.config["SECRET_KEY"], salt=salt, serializer_kwargs=short)
