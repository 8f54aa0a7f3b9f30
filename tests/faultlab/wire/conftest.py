"""A database, and a link to it, for the tests of the wire."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from psycopg2.extensions import parse_dsn

from tests.faultlab.wire import PostgresProtocol, Proxy
from tests.support.database import execute
from todo_stack.ports import Ports
from todo_stack.postgres import Postgres


@pytest.fixture(autouse=True)
def pool() -> Iterator[ThreadPoolExecutor]:
    """Threads for clients that have to wait; made first, so that the links they wait on are closed before them."""
    with ThreadPoolExecutor(32) as executor:
        yield executor


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A PostgreSQL server of our own."""
    folder = tmp_path_factory.mktemp("postgres")
    postgres = Postgres(folder / "data", Ports.free().postgres, dict(os.environ), lambda _name, _line: None)
    postgres.prepare()
    postgres.server.start()
    try:
        yield postgres
    finally:
        postgres.server.kill()


@pytest.fixture
def database(server: Postgres) -> tuple[str, int]:
    """Its address, with an empty table `note`."""
    url = server.url("postgres")
    execute(url, "DROP TABLE IF EXISTS note")
    execute(url, "CREATE TABLE note (id serial PRIMARY KEY, body text)")
    return "127.0.0.1", int(parse_dsn(url)["port"])


@pytest.fixture
def link(database: tuple[str, int]) -> Iterator[Proxy]:
    """A link to the database."""
    with Proxy("service to database", PostgresProtocol(), upstream=database) as proxy:
        yield proxy
