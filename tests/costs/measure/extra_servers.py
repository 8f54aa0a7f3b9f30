"""Servers beside those of the twins, on the same PostgreSQL, each with a database of its own."""

import contextlib
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from tests.support.database import execute
from todo_stack.applications import REPOSITORY, inherited
from todo_stack.checks import Check, http_ok
from todo_stack.leftovers import Leftovers
from todo_stack.ports import HOST
from todo_stack.process import Log, Server, Step
from todo_stack.stack import Stack
from todo_stack.twins import PLAIN

READY = "ready"
"""What a worker, which listens on no port, prints when it works."""


class ExtraServers:
    """Makes databases, starts servers, and stops them at the end; PostgreSQL and the twins are the stack's."""

    def __init__(self, stack: Stack, folder: Path, log: Log, environment: Mapping[str, str] | None = None) -> None:
        """Take a running stack, a folder for data, and what is set for all servers beside the defaults."""
        folder.mkdir(parents=True, exist_ok=True)
        self.stack = stack
        self.folder = folder
        self._log = log
        self._environment = environment or {}
        self._servers: list[Server] = []
        self._leftovers = Leftovers(folder / "processes.json")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.ExitStack() as callers_first:
            for server in self._servers:
                callers_first.callback(server.stop)

    def database(self, name: str) -> str:
        """Make a database with the twins' tables and return its address."""
        base = urlsplit(self.stack.database_url(PLAIN))
        # The name is ours; an identifier cannot be a parameter.
        execute(base.geturl(), f'CREATE DATABASE "{name}"')
        url = base._replace(path=f"/{name}").geturl()
        command = [sys.executable, "-m", "flask", "--app", "flask_todo.app", "db", "upgrade"]
        Step(f"migration {name}", command, self._python(url, {"PORT": "1"}), self._log, cwd=REPOSITORY).run()
        return url

    def web(
        self, name: str, factory: str, database_url: str, settings: Mapping[str, str] | None = None
    ) -> tuple[Server, str]:
        """Return a started web application, `module:function()`, and its address."""
        port = free_port()
        command = ["gunicorn", "--config", "python:tests.costs.gunicorn_after_fork", factory]
        address = f"http://{HOST}:{port}"
        settings = {**(settings or {}), "PORT": str(port)}
        return self.worker(name, command, database_url, settings, http_ok(f"{address}/readyz")), address

    def worker(
        self,
        name: str,
        module: list[str],
        database_url: str,
        settings: Mapping[str, str] | None = None,
        ready: Check | None = None,
    ) -> Server:
        """Return a started Python module with its arguments, which without a check says itself when it is ready."""
        environment = self._python(database_url, settings or {})
        return self.start(name, [sys.executable, "-m", *module], environment, ready)

    def start(self, name: str, command: list[str], environment: Mapping[str, str], ready: Check | None) -> Server:
        """Start a server; without a check it is ready when it says so."""
        said = ready or (lambda: any(line.endswith(READY) for line in server.last_lines))
        server = Server(name, command, environment, said, self._log, cwd=REPOSITORY)
        self._servers.append(server)
        server.spawn()
        self.remember()
        server.wait_ready()
        return server

    def remember(self) -> None:
        """Write down which processes run, so that the next run can end them if this one cannot."""
        self._leftovers.record(one.pid for one in self._servers if one.pid)

    def _python(self, database_url: str, settings: Mapping[str, str]) -> dict[str, str]:
        return {
            **inherited(os.environ),
            "PYTHONUNBUFFERED": "1",
            **self._environment,
            "DATABASE_URL": database_url,
            "SECRET_KEY": "x" * 32,
            "HOST": HOST,
            **settings,
        }


def free_port() -> int:
    """Return a port that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
