"""Servers beside those of the twins, on the same PostgreSQL, each with a database of its own."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.support.database import execute
from todo_stack.applications import REPOSITORY, inherited
from todo_stack.checks import Check, http_ok
from todo_stack.ports import HOST, Ports
from todo_stack.process import Log, Server, Step
from todo_stack.stack import Stack
from todo_stack.twins import PLAIN

READY = "ready"
"""What a worker, which listens on no port, prints when it works."""


@dataclass(frozen=True)
class ExtraServers:
    """Makes databases and starts servers, which end with the stack."""

    stack: Stack
    """PostgreSQL and the twins, running."""
    log: Log
    environment: Mapping[str, str] = field(default_factory=dict)
    """What is set for all servers beside the defaults."""

    def database(self, name: str) -> str:
        """Make a database with the twins' tables and return its address."""
        url = urlsplit(self.stack.database_url(PLAIN))._replace(path=f"/{name}").geturl()
        # The name is ours; an identifier cannot be a parameter.
        execute(self.stack.database_url(PLAIN), f'CREATE DATABASE "{name}"')
        command = [sys.executable, "-m", "flask", "--app", f"{PLAIN.package}.app", "db", "upgrade"]
        Step(f"migration {name}", command, self._environment(url, {}), self.log, cwd=REPOSITORY).run()
        return url

    def web(
        self, name: str, factory: str, database_url: str, settings: Mapping[str, str] | None = None
    ) -> tuple[Server, str]:
        """Return a started web application, `module:function()`, and its address."""
        port = free_port()
        address = f"http://{HOST}:{port}"
        command = ["gunicorn", "--config", "python:tests.costs.gunicorn_after_fork", factory]
        settings = {**(settings or {}), "PORT": str(port)}
        return self.worker(name, command, database_url, settings, http_ok(f"{address}/readyz")), address

    def worker(
        self,
        name: str,
        module: Sequence[str],
        database_url: str,
        settings: Mapping[str, str],
        ready: Check | None = None,
    ) -> Server:
        """Return a started Python module with its arguments, which without a check says itself when it is ready."""
        return self.start(name, [sys.executable, "-m", *module], self._environment(database_url, settings), ready)

    def start(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], ready: Check | None = None
    ) -> Server:
        """Return a started server; without a check it is ready when it says so."""
        said = ready or (lambda: any(line.endswith(READY) for line in server.last_lines))
        server = Server(name, command, environment, said, self.log, cwd=REPOSITORY)
        self.run(server)
        return server

    def run(self, server: Server) -> None:
        """Start a server, which the stack then knows, and return when it is ready."""
        self.stack.spawn(server)
        server.wait_ready()

    def _environment(self, database_url: str, settings: Mapping[str, str]) -> dict[str, str]:
        return {
            **inherited(os.environ),
            "PYTHONUNBUFFERED": "1",
            **self.environment,
            "DATABASE_URL": database_url,
            "SECRET_KEY": "x" * 32,
            "HOST": HOST,
            # No web application without one, even if it does not listen.
            "PORT": "1",
            **settings,
        }


def free_port() -> int:
    """Return a port that nobody uses at this moment."""
    return Ports.free().postgres
