"""One statement on a database, past everything that is tested."""

import contextlib
from typing import Any

import psycopg2


def execute(url: str, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
    """Run a statement on a connection of its own, committed at once; return its rows, none if it has none."""
    # As a context manager a connection of psycopg2 is a transaction, and stays open.
    with contextlib.closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else []
