"""What a stack is to consist of, and the Python processes of its twins: how each is run, and with which environment."""

import os
import secrets
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

from flask_restate.identity import public_key
from todo_stack import restate
from todo_stack.checks import Check, all_of, http_ok
from todo_stack.database_roles import address
from todo_stack.environment import inherited
from todo_stack.errors import StackError
from todo_stack.files import read, write_whole
from todo_stack.output import Log, no_log
from todo_stack.paths import DATA, REPOSITORY
from todo_stack.ports import HOST, Ports
from todo_stack.process import Server, Step
from todo_stack.size import ONE, Size, numbered, split
from todo_stack.twins import OUTSIDE_WORLD, RESTATE, TWINS, Twin


@dataclass(eq=False, repr=False)
class StackDescription:
    """Describes a stack and makes the processes of its twins; looks for nothing, and starts none."""

    twins: Sequence[Twin] = TWINS
    """One or both."""
    _: KW_ONLY
    data: Path = DATA
    """Folder that keeps everything from one start to the next."""
    ports: Ports = field(default_factory=Ports)
    external_database: str | None = None
    """The address of one PostgreSQL database for all; without it a server is started here, with one for each twin."""
    log: Log = no_log
    """Takes the name of a process and a line of its output, from threads."""
    overrides: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Environment variables that win over ours, by the name of the server or step. An address may lead through a proxy;
    migrations keep the direct one unless they are named."""
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    """What all processes inherit a choice of."""
    cancelled: threading.Event | None = None
    """Once set, every start ends with StopRequested."""
    size: Size = ONE
    """How many of each server there are."""
    with_outside_world: bool = False
    """Whether the third parties that the twins call run, too: most writes call nobody."""

    def database_url(self, twin: Twin, kind: str = "owner") -> str:
        """Return the address of a twin's database for a role of it, as it is without any override."""
        return self.external_database or address(self.data, self.ports.postgres, twin.database, kind)

    def outside_world_url(self, twin: Twin, *, inside: bool = False) -> str:
        """Return the address of the third parties: on one machine the same for both twins, and `inside` for them."""
        del twin, inside
        return self.ports.outside_world_url

    @property
    def identity_file(self) -> Path:
        """The Restate server's private key, which is made when it is first asked for its public one."""
        return self.data / "restate-identity.pem"

    @property
    def _cluster_file(self) -> Path:
        """Has the number of the journal's nodes, if they are a cluster and have found together."""
        return self.data / "restate-nodes"

    def migration(self, twin: Twin) -> Step:
        """Return the step that brings a twin's database to the current schema."""
        module = ["flask", "--app", twin.application, "db", "upgrade", "heads"]
        step = self._step(f"migration {twin}", module, twin)
        if not self.external_database:
            step.env.setdefault("MIGRATION_DATABASE_URL", self.database_url(twin))
        return step

    def registration(self) -> Step:
        """Return the step that tells the Restate server where the service is. It retries by itself."""
        return self._step("registration", ["flask_restate", "register"], RESTATE)

    def node(self, number: int) -> Server:
        """Return a Restate server, the first of which is number 1."""
        env = self.env(numbered("restate", number), {})
        return restate.server(
            *(self.data, self.identity_file, self.ports, env, self.log, self.cancelled),
            number=number,
            size=self.size,
        )

    def services(self) -> list[Server]:
        """Return the endpoints at which Restate calls the handlers."""
        return self._several(RESTATE.writer, RESTATE, ["flask_todo_restate.restate_server"], self.size.services)

    def webs(self, twin: Twin) -> list[Server]:
        """Return the servers of a twin's pages and JSON API."""
        module = ["gunicorn", "--config", f"python:{twin.gunicorn_conf}", f"{twin.application}:create_app()"]
        return self._several(twin.title, twin, module, self.size.webs)

    def _several(self, first: str, twin: Twin, module: list[str], count: int) -> list[Server]:
        """Return servers that share an address, at which whichever is free answers."""
        # By HTTP: another process on its port may accept connections, too.
        is_web = first == twin.title
        healthy = http_ok(f"{self.ports.web_url(twin)}/readyz" if is_web else f"{self.ports.service_url}/health")
        made = []
        for name in (numbered(first, number) for number in range(1, count + 1)):
            env = self._env(name, twin)
            own = http_ok(f"http://{HOST}:{env['METRICS_PORT']}/metrics")
            made.append(self._server(name, module, env, all_of(own, healthy) if count > 1 else healthy))
        return made

    def outside_world(self) -> Server:
        """Return the server of the third parties, one for both twins, with a database of its own."""
        module = ["gunicorn", "--config", "python:outside_world.gunicorn_conf", "outside_world.app:create_app()"]
        settings = {
            "PYTHONUNBUFFERED": "1",
            "OUTSIDE_WORLD_DATA": str((self.data / "outside_world.sqlite").resolve()),
            "HOST": HOST,
            "PORT": str(self.ports.outside_world),
        }
        healthy = http_ok(f"{self.ports.outside_world_url}/healthz")
        return self._server(OUTSIDE_WORLD, module, self.env(OUTSIDE_WORLD, settings), healthy)

    def inherited(self) -> dict[str, str]:
        """Return what of the environment all processes see; libpq's variables are for a database of somebody else."""
        return inherited(self.environment, libpq=bool(self.external_database))

    def env(self, name: str, settings: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of a server or step: inherited, then these settings, then what overrides them."""
        of_kind = self.overrides.get(split(name)[0], {})
        return {**self.inherited(), **settings, **of_kind, **self.overrides.get(name, {})}

    def _step(self, name: str, module: list[str], twin: Twin) -> Step:
        command, env = [sys.executable, "-m", *module], self._env(name, twin)
        return Step(name, command, env, self.log, cwd=REPOSITORY, cancelled=self.cancelled)

    def _server(self, name: str, module: list[str], env: dict[str, str], ready: Check) -> Server:
        command = [sys.executable, "-m", *module]
        return Server(name, command, env, self.log, ready, cwd=REPOSITORY, cancelled=self.cancelled)

    def _env(self, name: str, twin: Twin) -> dict[str, str]:
        kind, number = split(name)
        settings = {
            # Lines are to be seen when they are written.
            "PYTHONUNBUFFERED": "1",
            # Their lines are seen by people, each behind the name of its process.
            "LOG_FORMAT": self.environment.get("LOG_FORMAT", "text"),
            # It would add the variables of a file .env in this folder or one above.
            "FLASK_SKIP_DOTENV": "1",
            # The durable twin's web leaves all writing to the service.
            "DATABASE_URL": self.database_url(twin, "reader" if twin.durable and kind == twin.title else "writer"),
            "SECRET_KEY": self._secret_key(),
            "HOST": HOST,
            "PORT": str(self.ports.web(twin)),
            "OUTSIDE_WORLD_URL": self.ports.outside_world_url,
            # The only private address that webhooks may have.
            "WEBHOOK_HOSTS": f"{HOST}:{self.ports.outside_world}",
        }
        if kind in (twin.title, twin.writer):
            # By its package: the control of the fault lab is the plain twin under another title.
            metered = numbered(twin.package if kind == twin.title else kind, number)
            settings["METRICS_PORT"] = str(self.ports.metrics(metered))
        if twin.durable:
            settings |= {
                "RESTATE_ENDPOINT": ",".join(node.ingress_url for node in self._nodes()),
                "RESTATE_ADMIN_URL": ",".join(node.admin_url for node in self._nodes()),
                "DASHBOARD_URL": f"{self.ports.admin_url}/ui",
                "RESTATE_SERVICE_PORT": str(self.ports.restate_service),
                "RESTATE_SERVICE_URL": self.ports.service_url,
                "RESTATE_IDENTITY_KEY": self._identity_key(),
                # The code may have changed since the last start, and has the same address.
                "RESTATE_REGISTER_FORCE": self.environment.get("RESTATE_REGISTER_FORCE", "true"),
            }
        return self.env(name, settings)

    def _nodes(self) -> list[Ports]:
        """Return the ports of each node."""
        return [self.ports.shifted(before, *restate.NODE_PORTS) for before in range(self.size.nodes)]

    def _secret_key(self) -> str:
        """Return the key that signs sessions and CSRF tokens: kept, so that open pages survive a restart."""
        file = self.data / "secret_key"
        if not file.exists():
            write_whole(file, secrets.token_hex(32).encode())
        return read(file)

    def _identity_key(self) -> str:
        try:
            return public_key(self.identity_file)
        except ValueError as error:
            raise StackError(str(error)) from None
