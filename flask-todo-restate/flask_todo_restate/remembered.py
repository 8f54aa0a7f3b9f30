"""What this browser was promised: a cookie for each call, so that forms sent at one moment do not overwrite another."""

from typing import Any

from flask import Response, after_this_request, current_app, request
from itsdangerous import BadData, URLSafeSerializer

from flask_todo_restate.pending import Call

PREFIX = "pending-"
# All of them are in one header, for which servers have a limit.
MAX_REMEMBERED = 10
MAX_TASK_BYTES = 240
# As long as Restate keeps a call that is completed.
SECONDS = 24 * 60 * 60
SHOWN = ("task", "completed")


def remember(response: Response, operation_id: str, handler: str) -> None:
    """Remember the call that this request, which is a form, has made, and of the earlier ones the latest."""
    message: dict[str, Any] = {name: request.form[name] for name in SHOWN if name in request.form}
    if len(message.get("task", "").encode()) > MAX_TASK_BYTES:
        message["task"] = message["task"].encode()[:MAX_TASK_BYTES].decode(errors="ignore") + "…"
    if "completed" in message:
        message["completed"] = message["completed"] == "true"
    value = _serializer().dumps([handler, {**message, **(request.view_args or {})}])
    config = current_app.config
    response.set_cookie(
        f"{PREFIX}{operation_id}",
        str(value),
        max_age=SECONDS,
        secure=bool(config["SESSION_COOKIE_SECURE"]),
        httponly=True,
        samesite="Lax",
    )
    for oldest in [call.id for call in remembered() if call.id != operation_id][: -MAX_REMEMBERED + 1]:
        forget_in(response, oldest)


def remembered() -> list[Call]:
    """Return what is remembered, in the order in which it was promised."""
    calls = []
    for name, value in request.cookies.items():
        if name.startswith(PREFIX):
            try:
                handler, message = _serializer().loads(value)
                calls.append(Call(name.removeprefix(PREFIX), handler, message))
            except (BadData, ValueError):
                forget(name.removeprefix(PREFIX))
    return calls


def forget(operation_id: str) -> None:
    """Forget a call: with the answer to this request."""
    after_this_request(lambda response: forget_in(response, operation_id))


def forget_in(response: Response, operation_id: str) -> Response:
    """Forget a call with this answer, which is returned."""
    if (name := f"{PREFIX}{operation_id}") in request.cookies:
        response.delete_cookie(name)
    return response


def _serializer() -> URLSafeSerializer:
    # Not ASCII only: that would make most scripts three times as long.
    short = {"ensure_ascii": False}
    return URLSafeSerializer(current_app.config["SECRET_KEY"], salt="pending", serializer_kwargs=short)
