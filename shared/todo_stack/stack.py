"""The stack: which servers, in which order, with which environment, on which data."""

import contextlib
import os
import threading
from collections.abc import Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from flask_restate.identity import public_key
from todo_stack import postgres, restate, tree
from todo_stack.applications import REPOSITORY, WEBS, Applications, inherited
from todo_stack.errors import StackError, StopRequested
from todo_stack.leftovers import Leftovers
from todo_stack.lock import locked
from todo_stack.ports import BASIC, RESTATE, TWINS, Ports
from todo_stack.process import Log, Process, Server, Step
from todo_stack.secrets import secret_key

DATA = REPOSITORY / ".data"

# One each, so that side by side their lists show what each has kept.
_DATABASES = {BASIC: "todos", RESTATE: "todos_restate"}
_PORTS = {
    BASIC: ["flask_todo"],
    RESTATE: ["flask_todo_restate", "restate_service", "restate_ingress", "restate_admin", "restate_node"],
}

_WATCH_SECONDS = 0.1


class Stack:
    """Real servers for one twin or both, on one data folder.

    `servers` holds them by name, those that are called before those that call: `db`, `restate_app`, `restate`,
    `flask-todo`, `flask-todo-restate`, as far as they are wanted. It is filled by the first start and kept.
    """

    def __init__(
        self,
        twins: Collection[str] = TWINS,
        *,
        data: Path = DATA,
        ports: Ports | None = None,
        database_url: str | None = None,
        log: Log | None = None,
        overrides: Mapping[str, Mapping[str, str]] | None = None,
        environment: Mapping[str, str] | None = None,
        cancelled: threading.Event | None = None,
    ) -> None:
        """Describe a stack; nothing is looked for, written or started yet.

        Args:
            twins: "basic", "restate" or both.
            data: folder that keeps everything from one start to the next.
            ports: where the servers listen.
            database_url: one PostgreSQL database for all; without it a server is started here, with one
                database for each twin.
            log: takes the name of a process and a line of its output, from threads.
            overrides: environment variables that win over ours, by the name of the server or step. An address may
                lead through a proxy; migrations keep the direct one unless they are named.
            environment: what all processes inherit; by default that of this process.
            cancelled: once set, start() and wait() end with StopRequested.

        """
        self.twins = [twin for twin in TWINS if twin in twins]
        self.data = data
        self.ports = ports or Ports()
        self.servers: dict[str, Server] = {}
        self._database_url = database_url
        self._log = log or (lambda _name, _line: None)
        self._overrides = overrides or {}
        self._environment = inherited(os.environ if environment is None else environment)
        self._cancelled = cancelled or threading.Event()
        self._postgres: postgres.Postgres | None = None
        self._applications: Applications | None = None
        self._steps: list[Step] = []
        self._leftovers = Leftovers(data / "processes.json")
        self._lock = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start everything and return when every server is healthy.

        Raises:
            StackError: if something is in the way. Nothing runs then.
            StopRequested: if that was asked for meanwhile. Nothing runs then.

        """
        self.data.mkdir(parents=True, exist_ok=True)
        self._lock.enter_context(locked(self.data))
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(self.stop)
            if count := self._leftovers.kill():
                self._log("stack", f"ended {count} processes that an earlier start had left")
            self.ports.check(self._wanted_ports())
            self._applications = self._applications or self._build()
            self._start_in_order(self._applications)
            on_failure.pop_all()

    def stop(self) -> None:
        """Stop everything, callers first: nobody is asked after it has gone. What takes too long is killed."""
        with contextlib.ExitStack() as last_first:
            last_first.callback(self._lock.close)
            for server in self.servers.values():
                last_first.callback(server.stop)
            for step in self._steps:
                last_first.callback(step.kill)
        self._steps.clear()

    def kill(self) -> None:
        """Kill everything at one moment, as a power cut does. start() begins again on what the disks hold."""
        running = [server.pid for server in self.servers.values() if server.running and server.pid]
        members = [member for pid in running for member in tree.freeze(pid)]
        tree.kill(members)
        with contextlib.ExitStack() as each:
            each.callback(self._lock.close)
            for process in (*self.servers.values(), *self._steps):
                each.callback(process.kill)
        self._steps.clear()

    def wait(self) -> Server:
        """Wait until a server ends by itself and return it.

        Raises:
            StopRequested: if that was asked for.

        """
        while not self._cancelled.wait(_WATCH_SECONDS):
            for server in self.servers.values():
                if not server.running:
                    return server
        raise StopRequested

    def database_url(self, twin: str) -> str:
        """Return the address of a twin's database, as it is without any override."""
        return self._database_url or postgres.address(self.ports.postgres, _DATABASES[twin])

    def _wanted_ports(self) -> list[str]:
        ours = [] if self._database_url else ["postgres"]
        return ours + [port for twin in self.twins for port in _PORTS[twin]]

    def _start_in_order(self, make: Applications) -> None:
        """Start what depends on nothing together, and the rest as soon as what it needs is there."""
        servers = self.servers
        if RESTATE in self.twins:
            self._spawn(servers["restate"])
        if self._postgres:
            self._postgres.prepare()
            self._spawn(servers["db"])
            servers["db"].wait_ready()
            self._postgres.create_databases(_DATABASES[twin] for twin in self.twins)
        migrations = {twin: make.migration(twin) for twin in self.twins}
        for migration in migrations.values():
            self._spawn_step(migration)
        for migration in migrations.values():
            migration.finish()
        if RESTATE in self.twins:
            self._spawn(servers["restate_app"])
        for twin in self.twins:
            self._spawn(servers[WEBS[twin]])
        if RESTATE in self.twins:
            servers["restate"].wait_ready()
            servers["restate_app"].wait_ready()
            registration = make.registration()
            self._spawn_step(registration)
            registration.finish()
        for twin in self.twins:
            servers[WEBS[twin]].wait_ready()

    def _spawn_step(self, step: Step) -> None:
        self._steps.append(step)
        self._spawn(step)

    def _spawn(self, process: Process) -> None:
        process.spawn()
        everything = (*self.servers.values(), *self._steps)
        self._leftovers.record(one.pid for one in everything if one.pid)

    def _build(self) -> Applications:
        """Make the servers, those that are called before those that call, and return what makes the steps."""
        servers = []
        if self._database_url:
            postgres.check_url(self._database_url)
        else:
            self._postgres = postgres.Postgres(
                self.data / "postgres", self.ports.postgres, self._environment, self._log, self._cancelled
            )
            servers.append(self._postgres.server)
        identity_file = self.data / "restate-identity.pem"
        try:
            identity_key = public_key(identity_file)
        except ValueError as error:
            raise StackError(str(error)) from None
        applications = Applications(
            ports=self.ports,
            environment=self._environment,
            overrides=self._overrides,
            database_urls={twin: self.database_url(twin) for twin in self.twins},
            secret_key=secret_key(self.data / "secret_key"),
            identity_key=identity_key,
            log=self._log,
            cancelled=self._cancelled,
        )
        if RESTATE in self.twins:
            servers.append(applications.service())
            servers.append(
                restate.server(
                    restate.find_binary(REPOSITORY),
                    self.data / "restate",
                    identity_file,
                    ports=self.ports,
                    env={**self._environment, **self._overrides.get("restate", {})},
                    log=self._log,
                    cancelled=self._cancelled,
                )
            )
        servers += [applications.web(twin) for twin in self.twins]
        self.servers.update((server.name, server) for server in servers)
        return applications
