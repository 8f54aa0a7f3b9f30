"""Writes down when what happens in a process of the twins. Python imports this by itself where it is on PYTHONPATH.

The applications know nothing of it: it hangs itself where they call their libraries. Each event is a line of the file
named by TRACE_FILE, `<nanoseconds> <event>`. The clock is the system's monotonic one, which all processes share.
"""

import functools
import os
import time
from collections.abc import Callable
from typing import Any

import flask
import requests
import restate
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.pool import Pool

from flask_restate import Ledger

_file = os.open(os.environ["TRACE_FILE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def note(what: str) -> None:
    """Write down that this happens now."""
    # One system call: threads and processes share the file.
    os.write(_file, f"{time.monotonic_ns()} {what}\n".encode())


def around(call: Callable[..., Any], begins: str, ends: str) -> Callable[..., Any]:
    """Return the same call, noted."""

    @functools.wraps(call)
    def noted(*args: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever the call takes and gives
        note(begins)
        try:
            return call(*args, **named)
        finally:
            note(ends)

    return noted


def trace_web() -> None:
    """Note requests to Flask, and Flask's own to Restate's ingress."""
    flask.Flask.wsgi_app = around(flask.Flask.wsgi_app, "flask begins", "flask ends")  # type: ignore[method-assign]
    session = requests.Session
    session.request = around(session.request, "ingress asked", "ingress answered")  # type: ignore[method-assign]


def trace_database() -> None:
    """Note what SQLAlchemy does with connections; the end of a commit is when the connection goes back."""
    event.listen(Pool, "checkout", lambda *_: note("pool checkout"))
    event.listen(Engine, "before_cursor_execute", lambda *_: note("statement begins"))
    event.listen(Engine, "after_cursor_execute", lambda *_: note("statement ends"))
    event.listen(Engine, "commit", lambda *_: note("commit begins"))
    event.listen(Pool, "checkin", lambda *_: note("pool checkin"))


def trace_service() -> None:
    """Note the messages between Restate and the handlers, and the steps."""
    Ledger.apply = around(Ledger.apply, "step begins", "step ends")  # type: ignore[method-assign]
    create = restate.app

    def traced(*args: Any, **named: Any) -> Any:  # noqa: ANN401 - as the original
        application: Any = create(*args, **named)

        async def middleware(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI's types
            async def noted_receive() -> Any:  # noqa: ANN401
                message = await receive()
                note("service receives")
                return message

            async def noted_send(message: Any) -> None:  # noqa: ANN401
                if message.get("body"):
                    note("service sends")
                await send(message)

            note("service called")
            await application(scope, noted_receive, noted_send)

        return middleware

    restate.app = traced


trace_web()
trace_database()
trace_service()
