"""Servers beside those of the twins, on the same PostgreSQL, each with a database of its own."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.support.database import execute
from todo_stack.checks import Check, http_ok
from todo_stack.database_roles import SUPERUSER
from todo_stack.environment import inherited
from todo_stack.output import Log
from todo_stack.paths import REPOSITORY
from todo_stack.ports import HOST, Ports
from todo_stack.process import Server, Step
from todo_stack.stack import Stack
from todo_stack.twins import PLAIN

Environment = Mapping[str, str]

PYTHON_MODULE = (sys.executable, "-m")

READY = "ready"
"""What a worker, which listens on no port, prints when it works."""


@dataclass(frozen=True)
class ExtraServers:
    """Makes databases and starts servers, which end with the stack."""

    stack: Stack
    """PostgreSQL and the twins, running."""
    log: Log
    environment: Environment = field(default_factory=dict)
    """What is set for all servers beside the defaults."""

    def database(self, name: str, application: str = PLAIN.application) -> str:
        """Make a database with the tables of an application, the twins' by default, and return its address."""
        url = urlsplit(self.stack.database_url(PLAIN, SUPERUSER))._replace(path=f"/{name}").geturl()
        # The name is ours; an identifier cannot be a parameter.
        execute(self.stack.database_url(PLAIN, SUPERUSER), f'CREATE DATABASE "{name}"')
        command = [*PYTHON_MODULE, "flask", "--app", application, "db", "upgrade", "heads"]
        Step(f"migration {name}", command, self._environment({"DATABASE_URL": url}), self.log, cwd=REPOSITORY).run()
        return url

    def web(self, name: str, factory: str, settings: Environment) -> tuple[Server, str]:
        """Return a started web application, `module:function()`, and its address."""
        port = free_port()
        address = f"http://{HOST}:{port}"
        command = [*PYTHON_MODULE, "gunicorn", "--config", "python:tests.costs.gunicorn_after_fork", factory]
        return self.start(name, command, {**settings, "PORT": str(port)}, http_ok(f"{address}/readyz")), address

    def start(self, name: str, command: Sequence[str], settings: Environment, ready: Check | None = None) -> Server:
        """Return a started server; without a check it is ready when it says so."""
        said = ready or (lambda: any(line.endswith(READY) for line in server.last_lines))
        server = Server(name, command, self._environment(settings), self.log, said, cwd=REPOSITORY)
        self.run(server)
        return server

    def run(self, server: Server) -> None:
        """Start a server, which the stack then knows, and return when it is ready."""
        self.stack.spawn(server)
        server.wait_ready()

    def _environment(self, settings: Environment) -> dict[str, str]:
        # Applications do not start without a port, even if they do not listen.
        ours = {"PYTHONUNBUFFERED": "1", "SECRET_KEY": "x" * 32, "HOST": HOST, "PORT": "1"}
        return {**inherited(os.environ), **ours, **self.environment, **settings}


def free_port() -> int:
    """Return a port that nobody uses at this moment."""
    return Ports.free().postgres
