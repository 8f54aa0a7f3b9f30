"""Each handler under the SDK's own harness, which makes Restate replay the journal at every opportunity."""

import asyncio
import functools
import gc
import warnings
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import pytest
import restate
from flask import Flask
from testcontainers.community.postgres import PostgresContainer

from flask_restate import FlaskRestate
from flask_restate.extension import RejectedError
from flask_todo_restate.services import database
from flask_todo_restate.services.todo_service import (
    add_todo,
    clear_completed,
    clear_todos,
    delete_todo,
    todo_service,
    update_todo,
)
from tests.containers.engine import image
from tests.support.database import execute
from todo_shared.models import db
from todo_shared.schemas import ClearRequest, TodoData, TodoItemRequest, TodoRequest, TodoUpdateRequest

Rows = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The address of a PostgreSQL with empty tables, which the handlers of this process write to."""
    with PostgresContainer(image("db"), driver=None) as container, pytest.MonkeyPatch.context() as changed:
        url = container.get_connection_url()
        changed.setenv("DATABASE_URL", url)
        database.sessions.cache_clear()
        engine = database.sessions().kw["bind"]
        db.metadatas[None].create_all(engine)
        yield url
        engine.dispose()
        database.sessions.cache_clear()


@pytest.fixture
def rows(url: str) -> Rows:
    """What queries the database, whose tables are empty at first."""
    execute(url, "TRUNCATE todo, operation CASCADE")
    return functools.partial(execute, url)


@pytest.fixture(scope="module")
def service(url: str) -> Iterator[FlaskRestate]:
    """The extension on a Restate server that always replays."""
    del url
    with asyncio.Runner() as runner, pytest.MonkeyPatch.context() as changed:
        # The service's own time-out would win over the server's, which makes it replay.
        changed.setattr(todo_service, "inactivity_timeout", None)
        harness = restate.create_test_harness(
            restate.app([todo_service]), restate_image=image("restate"), always_replay=True
        )
        environment = runner.run(harness.__aenter__())
        app, extension = Flask(__name__), FlaskRestate()
        app.config.update(RESTATE_ENDPOINT=environment.ingress_url, RESTATE_WRITE_BUDGET=20)
        extension.init_app(app)
        with app.app_context():
            yield extension
        app.extensions["restate"].close()
        runner.run(harness.__aexit__(None, None, None))
    # Connections that the harness has opened and not closed.
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        del harness, environment
        gc.collect()


def add(service: FlaskRestate, task: str) -> int:
    """Add a todo and return its id."""
    return service.call(add_todo, TodoRequest(task=task), str(uuid4())).id


def test_add_todo(service: FlaskRestate, rows: Rows) -> None:
    """Replayed, add_todo adds one todo and leaves one row in the ledger."""
    with patch.object(database.ledger, "once", wraps=database.ledger.once) as once:
        todo = service.call(add_todo, TodoRequest(task="one", order=7), str(uuid4()))
    assert once.call_count > 1, "the handler was not replayed"
    assert todo == TodoData(id=todo.id, task="one", completed=False, order=7)
    assert rows('SELECT id, task, completed, "order" FROM todo') == [(todo.id, "one", False, 7)]
    assert rows("SELECT result FROM operation") == [(todo.model_dump(),)]


def test_update_todo(service: FlaskRestate, rows: Rows) -> None:
    """Replayed, update_todo changes what it was given, once; of a todo that is not there it says 404."""
    todo_id = add(service, "one")
    update = TodoUpdateRequest(todo_id=todo_id, completed=True)
    assert service.call(update_todo, update, str(uuid4())).completed is True
    assert rows("SELECT task, completed FROM todo") == [("one", True)]
    with pytest.raises(RejectedError) as refused:
        service.call(update_todo, TodoUpdateRequest(todo_id=todo_id + 1, completed=True), str(uuid4()))
    assert refused.value.code == 404
    assert rows("SELECT count(*) FROM operation") == [(2,)]


def test_delete_todo(service: FlaskRestate, rows: Rows) -> None:
    """Replayed, delete_todo deletes and does not then find that there is nothing to delete; the next one does."""
    todo_id = add(service, "one")
    service.call(delete_todo, TodoItemRequest(todo_id=todo_id), str(uuid4()))
    assert rows("SELECT count(*) FROM todo") == [(0,)]
    with pytest.raises(RejectedError) as refused:
        service.call(delete_todo, TodoItemRequest(todo_id=todo_id), str(uuid4()))
    assert refused.value.code == 404


def test_clear_todos(service: FlaskRestate, rows: Rows) -> None:
    """Replayed, clear_todos deletes all todos."""
    for number in range(3):
        add(service, f"todo {number}")
    service.call(clear_todos, ClearRequest(), str(uuid4()))
    assert rows("SELECT count(*) FROM todo") == [(0,)]
    assert rows("SELECT count(*) FROM operation") == [(4,)]


def test_clear_completed(service: FlaskRestate, rows: Rows) -> None:
    """Replayed, clear_completed deletes the completed todos, and no other."""
    done, left = add(service, "done"), add(service, "left")
    service.call(update_todo, TodoUpdateRequest(todo_id=done, completed=True), str(uuid4()))
    service.call(clear_completed, ClearRequest(), str(uuid4()))
    assert rows("SELECT id FROM todo") == [(left,)]
