"""The Python processes of the twins: how each is run, and the environment that it is given."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from todo_stack.checks import Check, http_ok
from todo_stack.plan import Plan
from todo_stack.ports import HOST, SETTINGS
from todo_stack.process import Server, Step
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

    plan: Plan
    secret_key: str
    identity_key: str
    """The public key of the Restate server."""

    def migration(self, twin: Twin) -> Step:
        """Return the step that brings a twin's database to the current schema."""
        module = ["flask", "--app", f"{twin.package}.app", "db", "upgrade", "heads"]
        return self._step(f"migration {twin}", module, twin)

    def registration(self) -> Step:
        """Return the step that tells the Restate server where the service is. It retries by itself."""
        return self._step("registration", ["flask_restate", "register"], RESTATE)

    def service(self) -> Server:
        """Return the endpoint at which Restate calls the handlers."""
        # By HTTP: another process on its port may accept connections, too.
        healthy = http_ok(f"{self.plan.ports.service_url}/health")
        return self._server("restate_app", ["flask_todo_restate.restate_server"], RESTATE, healthy)

    def web(self, twin: Twin) -> Server:
        """Return the server of a twin's pages and JSON API."""
        module = ["gunicorn", "--config", f"python:{twin.gunicorn_conf}", f"{twin.package}.app:create_app()"]
        return self._server(twin.title, module, twin, http_ok(f"{self.plan.ports.web_url(twin)}/readyz"))

    def _step(self, name: str, module: list[str], twin: Twin) -> Step:
        plan, command = self.plan, [sys.executable, "-m", *module]
        return Step(name, command, self._env(name, twin), plan.log, cwd=REPOSITORY, cancelled=plan.cancelled)

    def _server(self, name: str, module: list[str], twin: Twin, ready: Check) -> Server:
        plan, command = self.plan, [sys.executable, "-m", *module]
        return Server(name, command, self._env(name, twin), ready, plan.log, cwd=REPOSITORY, cancelled=plan.cancelled)

    def _env(self, name: str, twin: Twin) -> dict[str, str]:
        ports = self.plan.ports
        settings = {
            # Lines are to be seen when they are written.
            "PYTHONUNBUFFERED": "1",
            "DATABASE_URL": self.plan.database_url(twin),
            "SECRET_KEY": self.secret_key,
            "HOST": HOST,
            "PORT": str(ports.web(twin)),
        }
        if twin.durable:
            settings |= {
                "RESTATE_ENDPOINT": ports.ingress_url,
                "RESTATE_ADMIN_URL": ports.admin_url,
                "RESTATE_SERVICE_PORT": str(ports.restate_service),
                "RESTATE_SERVICE_URL": ports.service_url,
                "RESTATE_IDENTITY_KEY": self.identity_key,
                # The code may have changed since the last start, and has the same address.
                "RESTATE_REGISTER_FORCE": self.plan.environment.get("RESTATE_REGISTER_FORCE", "true"),
            }
        return self.plan.env(name, settings)
