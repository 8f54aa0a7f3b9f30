"""What a part of a request takes in one thread, and beside it the least that does the same.

python -m tests.costs.measure.one_thread add    # or ledger, call, page, with the environment of the server that does it

Prints pairs of milliseconds of this process' processor time, as JSON. What other servers take for it is not in them.
"""

import contextlib
import http
import importlib
import io
import json
import os
import socket
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias
from urllib.parse import urlsplit
from uuid import uuid4

import requests
import urllib3
from flask import Flask
from psycopg2.extensions import connection
from werkzeug.test import create_environ, run_wsgi_app

from tests.costs.measure import MeasurementError, minimal_app, one_piece

ROUNDS, TIMES = 9, 30
"""The two take turns in rounds, in each of which either is done so many times. The first round warms up."""

Pair: TypeAlias = tuple[Callable[[], object], Callable[[], object]]
"""As we do it, and the least."""

_ADD_TODO = 'INSERT INTO todo (task) VALUES (%s) RETURNING id, task, completed, "order"'
_ADD_ROW = "INSERT INTO operation (operation_id, result) VALUES (%s, %s)"


def milliseconds(pair: Pair) -> list[float]:
    """Return what either takes, the median of the rounds."""
    taken: list[list[float]] = [[], []]
    for _ in range(ROUNDS + 1):
        for action, each in zip(pair, taken, strict=True):
            began = time.process_time()
            for _ in range(TIMES):
                action()
            each.append(1000 * (time.process_time() - began) / TIMES)
    return [round(statistics.median(each[1:]), 3) for each in taken]


def of_an_add() -> Iterator[Pair]:
    """Answer with nothing, in the plain twin and in bare Flask; add a todo, there and with the agreed packages alone.

    Then add one in the plain twin's session, and by psycopg2 alone.
    """
    from flask_todo.app import create_app
    from todo_shared import operations
    from todo_shared.models import db

    app, bare, checked = create_app(), minimal_app.create_app(), minimal_app.create_app(with_checks=True)
    yield _asked(app, "/healthz"), _asked(bare, "/readyz")
    yield _asked(app, "/api/todos", {"title": "measured"}), _asked(checked, "/api/todos", {"title": "measured"})
    with app.app_context(), _connected(db.engine) as raw:

        def ours() -> None:
            operations.add(db.session, "measured")
            db.session.commit()
            db.session.remove()

        def least() -> None:
            with raw, raw.cursor() as cursor:
                cursor.execute(_ADD_TODO, ["measured"])
                cursor.fetchone()

        yield ours, least


def of_the_ledger() -> Iterator[Pair]:
    """Add a todo and its row in the ledger, and the same two rows by psycopg2 alone."""
    from sqlalchemy.orm import Session

    from flask_todo_restate.services.database import ledger, sessions
    from todo_shared import operations
    from todo_shared.schemas import TodoData

    with sessions()() as session, _connected(session.get_bind()) as raw:

        def db_add(session: Session) -> TodoData:
            return operations.add(session, "measured")

        def least() -> None:
            with raw, raw.cursor() as cursor:
                cursor.execute(_ADD_TODO, ["measured"])
                cursor.execute(_ADD_ROW, [str(uuid4()), json.dumps(cursor.fetchone())])

        yield lambda: ledger.apply(str(uuid4()), db_add), least


def of_a_call() -> Iterator[Pair]:
    """Call the step that does nothing, as the web does and by urllib3 alone.

    Then by the session of requests, and by the standard library's HTTP client on one connection, in one piece.
    """
    from flask_restate import ingress
    from flask_restate.session import _Connection
    from flask_todo_restate.app import create_app
    from todo_shared.schemas import TodoRequest

    handler, message = "StepService/noop", TodoRequest(task="measured")
    endpoint, path = os.environ["RESTATE_ENDPOINT"], f"/restate/call/{handler}"
    host = urlsplit(endpoint)

    def headers() -> dict[str, str]:
        return {"content-type": "application/json", "idempotency-key": str(uuid4())}

    with (
        create_app().app_context(),
        socket.create_connection((host.hostname, host.port)) as client,
        urllib3.connection_from_url(endpoint) as pool,
        requests.Session() as session,
    ):
        session.trust_env = False
        # In one piece, as ours.
        pool.ConnectionCls = _Connection

        def ours() -> None:
            ingress.post("/restate/call/{}", handler, message, str(uuid4()), time.monotonic() + 10)

        def by_urllib3() -> None:
            _good(pool.urlopen("POST", path, message.model_dump_json().encode(), headers(), timeout=10).status)

        def by_requests() -> None:
            body = message.model_dump_json().encode()
            _good(session.post(endpoint + path, data=body, headers=headers(), timeout=10).status_code)

        def by_http_client() -> None:
            one_piece.post(client, path, message.model_dump_json(), headers(), expect=http.HTTPStatus.OK)

        yield ours, by_urllib3
        yield by_requests, by_http_client


def of_a_page(application: str) -> Iterator[Pair]:
    """Ask for a page of todos, as this application does and by psycopg2 alone.

    Then make all of it, and its rows alone, with an answer of bare Flask.
    """
    from sqlalchemy import event

    from todo_shared import markup, operations, pages
    from todo_shared.list_view import View
    from todo_shared.models import db
    from todo_shared.models.database import reading

    app, size = importlib.import_module(application).create_app(), pages.PAGE_SIZE
    asked: list[tuple[Any, ...]] = []

    def ask() -> operations.Page:
        with reading() as database:
            return operations.page(database, 1, size)

    context = app.test_request_context()

    nothing = _asked(minimal_app.create_app(), "/readyz")

    def only_rows() -> None:
        nothing()
        with context:
            markup.rows(todos, View(), ())

    with context, _connected(db.engine) as raw:
        event.listen(db.engine, "before_cursor_execute", lambda *told: asked.append(told[2:4]), once=True)
        todos = ask().todos[:size]
        raw.autocommit = True
        cursor, (question,) = raw.cursor(), asked

        def least() -> None:
            cursor.execute(*question)
            cursor.fetchall()

        yield ask, least
    # Not in that context, or pages would share what they have looked up.
    yield _asked(app, "/"), only_rows


def _good(status: int) -> None:
    if status != http.HTTPStatus.OK:
        raise MeasurementError(f"the call was answered with {status}")


def _asked(app: Flask, path: str, body: Mapping[str, str] | None = None) -> Callable[[], None]:
    """Return what asks an application for this, or posts the body, without a server."""
    environ = create_environ(path, method="POST" if body else "GET", json=body)
    sent = environ["wsgi.input"].read()

    def ask() -> None:
        _, status, _ = run_wsgi_app(app, environ | {"wsgi.input": io.BytesIO(sent)}, buffered=True)
        if not status.startswith("20"):
            raise MeasurementError(f"{path}: {status}")

    return ask


@contextlib.contextmanager
def _connected(engine: Any) -> Iterator[connection]:  # noqa: ANN401 - an engine, or what a session is bound to
    """Yield a connection of the pool, as psycopg2 has it."""
    with contextlib.closing(engine.raw_connection()) as fairy:
        yield fairy.driver_connection


PARTS: Mapping[str, Callable[..., Iterator[Pair]]] = {
    "add": of_an_add,
    "ledger": of_the_ledger,
    "call": of_a_call,
    "page": of_a_page,
}


if __name__ == "__main__":
    print(json.dumps([milliseconds(pair) for pair in PARTS[sys.argv[1]](*sys.argv[2:])]))
