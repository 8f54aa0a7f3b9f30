"""The parts of a stack: its servers, and what makes the steps of a start."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from flask_restate.identity import public_key
from todo_stack import postgres, restate
from todo_stack.applications import REPOSITORY, Applications
from todo_stack.errors import StackError
from todo_stack.plan import Plan
from todo_stack.process import Server
from todo_stack.secrets import secret_key
from todo_stack.twins import RESTATE


@dataclass(frozen=True)
class Parts:
    """What a stack consists of, made and not started."""

    servers: Mapping[str, Server]
    """By name, in the order of SERVERS."""
    applications: Applications
    """Makes the steps of a start."""
    postgres: postgres.Postgres | None
    """Whose server is `db`; None where the database is somebody else's."""

    @classmethod
    def make(cls, plan: Plan) -> Self:
        """Make the servers; secrets that are not there yet are made and kept in the data folder.

        Raises:
            StackError: if a program is missing, a key is unreadable, or the database of somebody else does not answer.

        """
        database = None
        if plan.external_database:
            postgres.check_url(plan.external_database)
        else:
            folder, port = plan.data / "postgres", plan.ports.postgres
            database = postgres.Postgres(folder, port, plan.environment, plan.log, plan.cancelled)
        identity_file = plan.data / "restate-identity.pem"
        try:
            identity_key = public_key(identity_file)
        except ValueError as error:
            raise StackError(str(error)) from None
        applications = Applications(plan, secret_key(plan.data / "secret_key"), identity_key)
        servers = [database.server] if database else []
        if RESTATE in plan.twins:
            binary, folder = restate.find_binary(REPOSITORY), plan.data / "restate"
            env, log = plan.env("restate"), plan.log
            servers.append(applications.service())
            servers.append(
                restate.server(
                    binary, folder, identity_file, ports=plan.ports, env=env, log=log, cancelled=plan.cancelled
                )
            )
        servers += [applications.web(twin) for twin in plan.twins]
        return cls({server.name: server for server in servers}, applications, database)
