"""The Python processes of the twins: how each is run, and the environment that it is given."""

import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from todo_stack.checks import Check, http_ok, tcp_open
from todo_stack.ports import HOST, SETTINGS, Ports
from todo_stack.process import Log, Server, Step
from todo_stack.twins import RESTATE, Twin

REPOSITORY = Path(__file__).resolve().parents[3]

_SET_HERE = SETTINGS | {"DATABASE_URL", "HOST", "SECRET_KEY", "RESTATE_SERVICE_URL", "RESTATE_IDENTITY_KEY"}
"""What a process gets from us or not at all, whatever the environment says."""


def inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what of the environment all processes of a stack may see."""
    return {name: value for name, value in environment.items() if name not in _SET_HERE}


@dataclass(frozen=True)
class Applications:
    """Makes the processes of the twins; starts none."""

    ports: Ports
    environment: Mapping[str, str]
    """Inherited by all."""
    overrides: Mapping[str, Mapping[str, str]]
    """By the name of the server or step: these win."""
    database_urls: Mapping[Twin, str]
    """By twin."""
    secret_key: str
    identity_key: str
    """The public key of the Restate server."""
    log: Log
    cancelled: threading.Event = field(default_factory=threading.Event)

    def migration(self, twin: Twin) -> Step:
        """Return the step that brings a twin's database to the current schema."""
        return self._step(
            f"migration {twin}", ["flask", "--app", f"{twin.package}.app", "db", "upgrade", "heads"], twin
        )

    def registration(self) -> Step:
        """Return the step that tells the Restate server where the service is. It retries by itself."""
        return self._step("registration", ["flask_restate", "register"], RESTATE)

    def service(self) -> Server:
        """Return the endpoint at which Restate calls the handlers."""
        return self._server(
            "restate_app",
            ["flask_todo_restate.restate_server"],
            RESTATE,
            tcp_open(self.ports.restate_service),
        )

    def web(self, twin: Twin) -> Server:
        """Return the server of a twin's pages and JSON API."""
        command = [
            "gunicorn",
            "--config",
            f"python:{twin.gunicorn_conf}",
            f"{twin.package}.app:create_app()",
        ]
        return self._server(twin.title, command, twin, http_ok(f"{self.ports.web_url(twin)}/readyz"))

    def _step(self, name: str, module: list[str], twin: Twin) -> Step:
        env = {**self._env(twin), **self.overrides.get(name, {})}
        return Step(name, _python(module), env, self.log, cwd=REPOSITORY, cancelled=self.cancelled)

    def _server(self, name: str, module: list[str], twin: Twin, ready: Check) -> Server:
        env = {**self._env(twin), **self.overrides.get(name, {})}
        return Server(name, _python(module), env, ready, self.log, cwd=REPOSITORY, cancelled=self.cancelled)

    def _env(self, twin: Twin) -> dict[str, str]:
        env = {
            **self.environment,
            # Lines are to be seen when they are written.
            "PYTHONUNBUFFERED": "1",
            "DATABASE_URL": self.database_urls[twin],
            "SECRET_KEY": self.secret_key,
            "HOST": HOST,
            "PORT": str(self.ports.web(twin)),
        }
        if twin.durable:
            env |= {
                "RESTATE_ENDPOINT": self.ports.ingress_url,
                "RESTATE_ADMIN_URL": self.ports.admin_url,
                "RESTATE_SERVICE_PORT": str(self.ports.restate_service),
                "RESTATE_SERVICE_URL": self.ports.service_url,
                "RESTATE_IDENTITY_KEY": self.identity_key,
            }
            # The code may have changed since the last start, and has the same address.
            env.setdefault("RESTATE_REGISTER_FORCE", "true")
        return env


def _python(module: list[str]) -> list[str]:
    return [sys.executable, "-m", *module]
