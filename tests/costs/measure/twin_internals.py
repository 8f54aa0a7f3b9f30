"""All that the benchmark knows of the code inside the twins: where a traced process notes what, and the ledger's purge.

python -m tests.costs.measure.twin_internals    # purges the ledger once, with the service endpoint's environment

The applications know nothing of the trace: it hangs itself where they call their libraries. Each event is a line of the
file named by TRACE_FILE, `<nanoseconds> <event>`. The clock is the system's monotonic one, which all processes share.
"""

import functools
import json
import os
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from todo_shared.settings import Settings

# Not from todo_stack: what that imports would be in every traced process.
REPOSITORY = Path(__file__).resolve().parents[3]

PACKAGES = ("restate-sdk", "Flask", "SQLAlchemy", "psycopg", "gunicorn", "granian")
"""Whose versions belong to a measurement."""

TRACE_FILE = "TRACE_FILE"
TRACED_SERVERS = {"basic": ("flask-todo",), "restate": ("flask-todo-restate", "restate_app")}

_OTHER_ROUTES = ("clear_todos", "update_todo", "delete_todo")
_RESTATE_TWIN = "flask-todo-restate/flask_todo_restate"
CODE_OF_ADD: dict[str, Sequence[tuple[str, Sequence[str]]]] = {
    "basic": (("flask-todo/flask_todo/app.py", ()), ("flask-todo/flask_todo/api.py", _OTHER_ROUTES)),
    "restate": (
        (f"{_RESTATE_TWIN}/app.py", ()),
        (f"{_RESTATE_TWIN}/api.py", (*_OTHER_ROUTES, "read_operation")),
        (f"{_RESTATE_TWIN}/messages.py", ("TodoItemRequest", "TodoUpdateRequest")),
        (f"{_RESTATE_TWIN}/outcomes.py", ("notices", "Notice", "_remember", "WHAT", "MAX_REMEMBERED", "ASK_SECONDS")),
        (f"{_RESTATE_TWIN}/register.py", ()),
        (
            f"{_RESTATE_TWIN}/restate_client.py",
            ("Operation", "OperationNotFoundError", "QuestionError", "RestateClient.operation"),
        ),
        (f"{_RESTATE_TWIN}/restate_server.py", ("purge_ledger",)),
        (f"{_RESTATE_TWIN}/services/database.py", ()),
        (f"{_RESTATE_TWIN}/services/ledger.py", ("purge",)),
        (f"{_RESTATE_TWIN}/services/todo_service.py", (*_OTHER_ROUTES, "DELETE_MAX_DURATION")),
        (f"{_RESTATE_TWIN}/settings.py", ("DeploymentSettings", "RetrySettings.delete_max_duration_seconds")),
    ),
}
"""What makes an add, by file, and the definitions in it that have no part in that."""

Note = Callable[[str], None]
"""Notes that something happens now."""


def traced_environment(folder: Path, file: Path) -> dict[str, str]:
    """Return the environment in which a Python process notes what happens into this file.

    Python imports a module sitecustomize by itself where it is on the path, before everything else.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(f"import {__name__} as internals\n\ninternals.trace()\n")
    return {"PYTHONPATH": f"{folder}{os.pathsep}{REPOSITORY}", TRACE_FILE: str(file)}


def trace() -> None:
    """Note from now on what happens in this process."""
    file = os.open(os.environ[TRACE_FILE], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def note(what: str) -> None:
        # One system call: threads and processes share the file.
        os.write(file, f"{time.monotonic_ns()} {what}\n".encode())

    _trace_web(note)
    _trace_database(note)
    _trace_service(note)


def _trace_web(note: Note) -> None:
    """Note requests to Flask, and Flask's own to Restate's ingress."""
    import flask
    import urllib3

    wsgi, pool = flask.Flask, urllib3.HTTPConnectionPool
    wsgi.wsgi_app = _noted(wsgi.wsgi_app, note, "flask begins", "flask ends")  # type: ignore[method-assign]
    pool.urlopen = _noted(pool.urlopen, note, "ingress asked", "ingress answered")  # type: ignore[method-assign]


def _trace_database(note: Note) -> None:
    """Note what SQLAlchemy does with connections; the end of a commit is when the connection goes back."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine
    from sqlalchemy.pool import Pool

    event.listen(Pool, "checkout", lambda *_: note("pool checkout"))
    event.listen(Engine, "commit", lambda *_: note("commit begins"))
    event.listen(Pool, "checkin", lambda *_: note("pool checkin"))


def _trace_service(note: Note) -> None:
    """Note the messages between Restate and the handlers, and the steps."""
    import restate

    from flask_todo_restate.services import ledger

    # Before the service takes it from there.
    ledger.once = _noted(ledger.once, note, "step begins", "step ends")
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


def _noted(call: Callable[..., Any], note: Note, begins: str, ends: str) -> Callable[..., Any]:
    """Return the same call, noted."""

    @functools.wraps(call)
    def noted(*args: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever the call takes and gives
        note(begins)
        try:
            return call(*args, **named)
        finally:
            note(ends)

    return noted


def web_settings(twin: str) -> "type[Settings]":
    """Return the settings of a twin's web."""
    from flask_todo_restate.settings import WebSettings
    from todo_shared.settings import Settings

    return WebSettings if twin == "restate" else Settings


def purge_ledger() -> None:
    """Purge the ledger, and print the number of rows and the seconds as JSON."""
    from flask_todo_restate.services import ledger
    from flask_todo_restate.services.database import sessions
    from flask_todo_restate.settings import ServiceSettings
    from todo_shared.settings import load

    older_than = timedelta(days=load(ServiceSettings).ledger_retention_days)
    with sessions()() as session:
        # Makes the connection, which is there already in the service endpoint.
        session.connection()
    began = time.perf_counter()
    rows = ledger.purge(older_than)
    print(json.dumps({"rows": rows, "seconds": time.perf_counter() - began}))


if __name__ == "__main__":
    purge_ledger()
