"""A database and a link to it, for the tests of the wire."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faultlab.wire.clients import Notes
from tests.faultlab.wire.postgres import PostgresProtocol
from tests.faultlab.wire.proxy import Proxy
from tests.support.database import execute
from tests.support.logs import log_to
from todo_stack.environment import inherited
from todo_stack.ports import Ports
from todo_stack.postgres import Postgres


@pytest.fixture(autouse=True)
def pool() -> Iterator[ThreadPoolExecutor]:
    """Threads for clients that have to wait; made first, so that the links they wait on are closed before them."""
    with ThreadPoolExecutor(32) as executor:
        yield executor


@pytest.fixture(scope="package")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A PostgreSQL server of our own."""
    folder = tmp_path_factory.mktemp("postgres")
    with log_to(folder / "log") as log:
        postgres = Postgres(folder / "data", Ports.free().postgres, inherited(os.environ), log)
        postgres.prepare()
        postgres.server.start()
        try:
            yield postgres
        finally:
            postgres.server.kill()


@pytest.fixture
def notes(postgres: Postgres, pool: ThreadPoolExecutor) -> Iterator[Notes]:
    """An empty table `note`, and a link to its database."""
    with Proxy("service to database", PostgresProtocol, upstream=("127.0.0.1", postgres.port)) as link:
        notes = Notes(link, postgres, pool)
        execute(notes.url, "DROP TABLE IF EXISTS note")
        execute(notes.url, "CREATE TABLE note (id serial PRIMARY KEY, body text)")
        yield notes
