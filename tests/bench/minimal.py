"""A minimal Flask and psycopg2 insert, started beside the twins: what the plain twin's comfort costs."""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.bench.arena import Arena
from tests.bench.peers.place import Place, free_port
from tests.bench.results import Contestant
from todo_stack.checks import http_ok
from todo_stack.ports import HOST
from todo_stack.process import Log

NAME: Contestant = "minimal"


@contextlib.contextmanager
def minimal(arena: Arena, folder: Path, log: Log) -> Iterator[Arena]:
    """Start it on the same PostgreSQL, in a database of its own with the same tables; `folder` is for its leftovers.

    Raises:
        StackError: it does not start.

    """
    folder.mkdir(parents=True, exist_ok=True)
    place = Place(arena.stack, folder, log, threading.Event())
    try:
        database = place.database(NAME)
        port = free_port()
        command = [
            *(sys.executable, "-m", "gunicorn"),
            # Its connections are opened with the application, and must not cross a fork: hence after it.
            *("--config", "python:tests.bench.peers.gunicorn_conf", "tests.bench.minimal_app:create_app()"),
        ]
        # Served as the twins are here: with their defaults, whatever the peers are run with.
        environment = place.environment(database, port)
        environment["LOG_LEVEL"] = os.environ.get("LOG_LEVEL", "info")
        url = f"http://{HOST}:{port}"
        server = place.start(NAME, command, environment, http_ok(f"{url}/readyz"))
        yield arena.joined(NAME, url, database, server)
    finally:
        place.stop()
