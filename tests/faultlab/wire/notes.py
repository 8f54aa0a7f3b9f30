"""A client of a small table, to have something on the wire to PostgreSQL."""

import contextlib
from collections.abc import Iterator

import psycopg2
from psycopg2.extensions import cursor

from tests.support.database import execute

KILLABLE = """
import psycopg2, sys
with psycopg2.connect(host="127.0.0.1", port=sys.argv[1], user="postgres", dbname="postgres") as connection:
    connection.cursor().execute("INSERT INTO note (body) VALUES ('milk')")
"""
"""The same as a program, which can be killed."""


def address(port: int) -> str:
    """Return the address of the database, directly or through a link."""
    return f"postgresql://postgres@127.0.0.1:{port}/postgres"


@contextlib.contextmanager
def connect(port: int) -> Iterator[cursor]:
    """Connect for one transaction, which is committed at the end."""
    with contextlib.closing(psycopg2.connect(address(port))) as connection, connection, connection.cursor() as cursor:
        yield cursor


def write(port: int, body: str) -> None:
    """Add a note in a transaction."""
    with connect(port) as cursor:
        cursor.execute("INSERT INTO note (body) VALUES (%s)", (body,))


def notes(database: tuple[str, int]) -> list[str]:
    """Return the notes that another connection sees."""
    return [body for (body,) in execute(address(database[1]), "SELECT body FROM note ORDER BY body")]
