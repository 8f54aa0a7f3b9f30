"""The plan of a stack: which servers it has, with which environment, on which ports and data."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flask_restate.identity import public_key
from todo_stack import postgres, restate
from todo_stack.applications import REPOSITORY, Applications
from todo_stack.errors import StackError
from todo_stack.output import Log
from todo_stack.ports import Ports
from todo_stack.process import Server
from todo_stack.secrets import secret_key
from todo_stack.twins import RESTATE, Twin


@dataclass(frozen=True)
class Parts:
    """What a stack consists of, made and not started."""

    twins: Sequence[Twin]
    servers: Mapping[str, Server]
    """By name, in the order of SERVERS."""
    applications: Applications
    """Makes the steps of a start."""
    postgres: postgres.Postgres | None
    """Whose server is `db`; None where the database is somebody else's."""
    databases: Sequence[str]
    """Those that it must have."""


@dataclass(frozen=True)
class Plan:
    """Describes a stack; what each field means is said where a stack is made."""

    twins: Sequence[Twin]
    data: Path
    ports: Ports
    external_database: str | None
    log: Log
    overrides: Mapping[str, Mapping[str, str]]
    environment: Mapping[str, str]
    cancelled: threading.Event

    @property
    def wanted_ports(self) -> list[str]:
        """The ports that must be free, by field name."""
        ours = [] if self.external_database else ["postgres"]
        return ours + [port for twin in self.twins for port in twin.ports]

    def database_url(self, twin: Twin) -> str:
        """Return the address of a twin's database, as it is without any override."""
        return self.external_database or postgres.address(self.ports.postgres, twin.database)

    def make(self) -> Parts:
        """Make the servers; secrets that are not there yet are made and kept in the data folder.

        Raises:
            StackError: if a program is missing, a key is none, or the database of somebody else does not answer.

        """
        database = None
        if self.external_database:
            postgres.check_url(self.external_database)
        else:
            database = postgres.Postgres(
                self.data / "postgres", self.ports.postgres, self.environment, self.log, self.cancelled
            )
        identity_file = self.data / "restate-identity.pem"
        try:
            identity_key = public_key(identity_file)
        except ValueError as error:
            raise StackError(str(error)) from None
        applications = Applications(
            ports=self.ports,
            environment=self.environment,
            overrides=self.overrides,
            database_urls={twin: self.database_url(twin) for twin in self.twins},
            secret_key=secret_key(self.data / "secret_key"),
            identity_key=identity_key,
            log=self.log,
            cancelled=self.cancelled,
        )
        servers = [database.server] if database else []
        if RESTATE in self.twins:
            servers += [applications.service(), self._restate(identity_file)]
        servers += [applications.web(twin) for twin in self.twins]
        names = [twin.database for twin in self.twins]
        return Parts(self.twins, {server.name: server for server in servers}, applications, database, names)

    def _restate(self, identity_file: Path) -> Server:
        return restate.server(
            restate.find_binary(REPOSITORY),
            self.data / "restate",
            identity_file,
            ports=self.ports,
            env={**self.environment, **self.overrides.get("restate", {})},
            log=self.log,
            cancelled=self.cancelled,
        )
