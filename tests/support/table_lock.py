"""A lock on todos, so that writes wait inside their statement."""

import contextlib
from collections.abc import Iterator

import psycopg2

from tests.support.database import execute


@contextlib.contextmanager
def todos_locked(database_url: str, *, reads: bool = False) -> Iterator[None]:
    """Let all writes to the table of todos wait, and `reads`, too; else these go on."""
    with contextlib.closing(psycopg2.connect(database_url)) as connection:
        connection.cursor().execute(f"LOCK TABLE todo IN {'ACCESS EXCLUSIVE' if reads else 'SHARE'} MODE")
        yield


@contextlib.contextmanager
def todo_locked(database_url: str, todo_id: int) -> Iterator[None]:
    """Let all writes to one todo wait, but not those to what it carries."""
    with contextlib.closing(psycopg2.connect(database_url)) as connection:
        connection.cursor().execute("SELECT FROM todo WHERE id = %s FOR NO KEY UPDATE", [todo_id])
        yield


def waiting_for_locks(database_url: str) -> int:
    """Return how many connections to this database wait for another one's lock."""
    # What other roles do is hidden in pg_stat_activity, but not in pg_locks.
    waiting = "SELECT DISTINCT pid FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted AND datname = "
    return len(execute(database_url, waiting + "current_database()"))
