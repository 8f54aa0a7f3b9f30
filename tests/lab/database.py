"""Single statements on a database, past the application."""

import contextlib
from typing import Any

import psycopg2


def rows(url: str, query: str, *parameters: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 - SQL's
    """Return the rows of a query."""
    with contextlib.closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(query, parameters or None)
            return cursor.fetchall() if cursor.description else []


def execute(url: str, query: str, *parameters: Any) -> None:  # noqa: ANN401 - SQL's
    """Carry out a statement that returns nothing."""
    rows(url, query, *parameters)
