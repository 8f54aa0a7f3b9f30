"""The schema is made by migrations, whoever begins and however many do."""

import contextlib
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import psycopg2
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from tests.lab.database import execute
from tests.scenarios.stage import eventually
from todo_shared.models.database import Base
from todo_stack.stack import Stack

PROCESSES = 4
SILENCE_SECONDS = 2


@pytest.fixture
def empty_database(stack: Stack) -> str:
    """The address of a new database, whose name has what a URL must quote."""
    name = f"new {uuid4().hex[:6]}"
    address = stack.database_url("basic")
    execute(address, f'CREATE DATABASE "{name}"')
    return address.rpartition("/")[0] + "/" + name.replace(" ", "%20")


def migrate(database_url: str) -> subprocess.CompletedProcess[str]:
    """Migrate in a process of its own."""
    environment = {**os.environ, "DATABASE_URL": database_url, "SECRET_KEY": "a secret for tests", "PORT": "1"}
    command = [sys.executable, "-m", "flask", "--app", "flask_todo.app", "db", "upgrade"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_many_at_once(empty_database: str) -> None:
    """Processes that migrate an empty database at the same time all succeed, and the models find their tables."""
    with ThreadPoolExecutor(PROCESSES) as pool:
        done = list(pool.map(migrate, [empty_database] * PROCESSES))
    assert [process.returncode for process in done] == [0] * PROCESSES, done[0].stderr
    engine = create_engine(empty_database.replace("postgresql://", "postgresql+psycopg2://"))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    engine.dispose()


def test_long_statement(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement of a migration may take longer than any of a request: here it waits for another transaction."""
    monkeypatch.setenv("DB_SILENCE_TIMEOUT_SECONDS", str(SILENCE_SECONDS))
    with ThreadPoolExecutor(1) as pool:
        with contextlib.closing(psycopg2.connect(empty_database)) as other:
            other.cursor().execute("CREATE TABLE todo ()")
            migrating = pool.submit(migrate, empty_database)
            waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            eventually(lambda: execute(empty_database, waiting), "the migration waits")
            # This is how long its statement takes, not a wait for something.
            threading.Event().wait(2 * SILENCE_SECONDS)
            assert not migrating.done()
        done = migrating.result()
    assert done.returncode == 0, done.stderr
