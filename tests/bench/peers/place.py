"""Where the contestants run: one PostgreSQL with a database for each, one folder, free ports."""

import contextlib
import os
import socket
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from flask_todo_restate.settings import WebSettings
from todo_stack.applications import REPOSITORY, inherited
from todo_stack.checks import Check, http_ok
from todo_stack.leftovers import Leftovers
from todo_stack.ports import HOST
from todo_stack.process import Log, Server, Step
from todo_stack.stack import Stack

ENVIRONMENT = {
    "PYTHONUNBUFFERED": "1",
    # A line for each request costs time.
    "LOG_LEVEL": "warning",
    # Under load an add is waited for until it is done: one that is answered as pending has no time.
    "WRITE_BUDGET": "25",
}
"""Beside the defaults, which are those of the twins, for all contestants alike."""

WAITING_THREADS = WebSettings.model_fields["web_threads"].default
"""Threads of a web that waits for another process to do the write: as many as the Restate twin has."""

READY = "ready"
"""What a worker, which listens on no port, prints when it works."""


@dataclass
class Place:
    """Makes the servers of the peers, and stops them; those of the twins, and PostgreSQL, are the stack's."""

    stack: Stack
    folder: Path
    log: Log
    cancelled: threading.Event
    servers: list[Server] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Find the list of what an earlier run, killed itself, has left running."""
        self._leftovers = Leftovers(self.folder / "processes.json")

    def database(self, name: str) -> str:
        """Make a database with the twins' tables and return its address."""
        base = urlsplit(self.stack.database_url("basic"))
        with psycopg.connect(base.geturl(), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        url = base._replace(path=f"/{name}").geturl()
        command = [sys.executable, "-m", "flask", "--app", "flask_todo.app", "db", "upgrade"]
        Step(f"migration {name}", command, self.environment(url, 1), self.log, cwd=REPOSITORY).run()
        return url

    def web(self, name: str, url: str, more: Mapping[str, str]) -> tuple[Server, str]:
        """Return the started web application of a peer and its address."""
        port = free_port()
        command = [
            *(sys.executable, "-m", "gunicorn", "--config", "python:tests.bench.peers.gunicorn_conf"),
            f"tests.bench.peers.{name}_peer.app:create_app()",
        ]
        environment = {**self.environment(url, port), **more}
        address = f"http://{HOST}:{port}"
        return self.start(f"{name} web", command, environment, http_ok(f"{address}/readyz")), address

    def worker(self, name: str, arguments: list[str], url: str, more: Mapping[str, str]) -> Server:
        """Return a started worker, a Python module with its arguments, which says when it is ready."""
        command = [sys.executable, "-m", *arguments]
        environment = {**self.environment(url, 1), **more}
        return self.start(name, command, environment, None)

    def start(self, name: str, command: list[str], env: Mapping[str, str], ready: Check | None) -> Server:
        """Start a server; without a check it is ready when it says so.

        Raises:
            StackError: it does not start.

        """
        server = Server(
            name,
            command,
            env,
            ready or (lambda: any(line.endswith(READY) for line in server.last_lines)),
            self.log,
            cwd=REPOSITORY,
            cancelled=self.cancelled,
        )
        self.servers.append(server)
        server.spawn()
        self.remember()
        server.wait_ready()
        return server

    def remember(self) -> None:
        """Write down which processes run, so that the next run can end them if this one cannot."""
        self._leftovers.record(one.pid for one in self.servers if one.pid)

    def stop(self) -> None:
        """Stop the servers, callers first."""
        with contextlib.ExitStack() as last_first:
            for server in self.servers:
                last_first.callback(server.stop)

    def environment(self, database_url: str, port: int) -> dict[str, str]:
        """Return the environment of a Python process of a peer."""
        return {
            **inherited(os.environ),
            **ENVIRONMENT,
            "DATABASE_URL": database_url,
            "SECRET_KEY": "x" * 32,
            "HOST": HOST,
            "PORT": str(port),
        }


def free_port() -> int:
    """Return a port that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
