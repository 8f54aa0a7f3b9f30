"""What is asked of the code inside the twins: where a traced process notes what, a web's settings, the ledger's purge.

python -m tests.costs.measure.twin_internals    # purges the ledger once, with the service endpoint's environment

The applications know nothing of the trace: it hangs itself where they call their libraries. Each event is a line of the
file named by TRACE_FILE, `<nanoseconds> <event>`. The clock is the system's monotonic one, which all processes share.
"""

import contextlib
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias

from todo_stack.paths import REPOSITORY
from todo_stack.twins import Twin

AsgiMessage: TypeAlias = dict[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[AsgiMessage]]
Send: TypeAlias = Callable[[AsgiMessage], Awaitable[None]]
AsgiApplication: TypeAlias = Callable[[AsgiMessage, Receive, Send], Awaitable[None]]
"""Those of ASGI."""


def traced_environment(folder: Path, file: Path) -> dict[str, str]:
    """Return the environment in which a Python process notes what happens into this file.

    Python imports a module sitecustomize by itself where it is on the path, before everything else.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(f"import {__name__} as internals\n\ninternals.trace()\n")
    return {"PYTHONPATH": f"{folder}{os.pathsep}{REPOSITORY}", "TRACE_FILE": str(file)}


def trace() -> None:
    """Note from now on what happens in this process."""
    file = os.open(os.environ["TRACE_FILE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def record(what: str) -> None:
        # One system call: threads and processes share the file.
        os.write(file, f"{time.monotonic_ns()} {what}\n".encode())

    import flask
    import restate
    from sqlalchemy import event
    from sqlalchemy.engine import Engine
    from sqlalchemy.pool import Pool

    from flask_restate import Ledger
    from flask_restate.session import IngressSession

    @contextlib.contextmanager
    def noted(begins: str, ends: str) -> Iterator[None]:
        record(begins)
        try:
            yield
        finally:
            record(ends)

    for owner, name, what in (
        (flask.Flask, "wsgi_app", noted("flask begins", "flask ends")),
        (IngressSession, "request", noted("ingress asked", "ingress answered")),
        (Ledger, "apply", noted("step begins", "step ends")),
    ):
        setattr(owner, name, what(getattr(owner, name)))
    event.listen(Pool, "checkout", lambda *_: record("pool checkout"))
    event.listen(Engine, "commit", lambda *_: record("commit begins"))
    # The end of a commit is when the connection goes back.
    event.listen(Pool, "checkin", lambda *_: record("pool checkin"))
    create = restate.app
    restate.app = lambda *args, **named: _with_noted_messages(create(*args, **named), record)


def _with_noted_messages(application: AsgiApplication, record: Callable[[str], None]) -> AsgiApplication:
    """Return the handlers' application, which notes its messages from and to Restate."""

    async def middleware(scope: AsgiMessage, receive: Receive, send: Send) -> None:
        async def noted_receive() -> AsgiMessage:
            message = await receive()
            record("service receives")
            return message

        async def noted_send(message: AsgiMessage) -> None:
            if message.get("body"):
                record("service sends")
            await send(message)

        record("service called")
        await application(scope, noted_receive, noted_send)

    return middleware


def web_setting(twin: Twin, name: str) -> str:
    """Return what a twin's web goes by, from the environment or by default."""
    from flask_todo_restate.settings import WebSettings
    from todo_shared.settings import Settings

    settings = WebSettings if twin.durable else Settings
    return str(os.environ.get(name.upper(), settings.model_fields[name].default))


def purge_ledger() -> None:
    """Purge the ledger, and print the number of rows and the seconds."""
    from flask_todo_restate.services.database import ledger, sessions
    from flask_todo_restate.settings import ServiceSettings
    from todo_shared.settings import load

    older_than = timedelta(days=load(ServiceSettings).ledger_retention_days)
    with sessions()() as session:
        # Makes the connection, which is there already in the service endpoint.
        session.connection()
    began = time.perf_counter()
    rows = ledger.purge(older_than)
    print(rows, time.perf_counter() - began)


if __name__ == "__main__":
    purge_ledger()
