"""The stack: the servers of one twin or both as one thing that is started, stopped and killed."""

import contextlib
import os
import threading
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Self

from todo_stack import data_folder, tree
from todo_stack.applications import REPOSITORY, inherited
from todo_stack.leftovers import Leftovers
from todo_stack.output import Log
from todo_stack.parts import Parts
from todo_stack.plan import Plan
from todo_stack.ports import Ports
from todo_stack.process import Process, Server
from todo_stack.starting import start_in_order
from todo_stack.twins import TWINS, Twin

DATA = REPOSITORY / ".data"


class Stack:
    """Real servers for one twin or both, on one data folder.

    `servers` holds them by name, those that are called before those that call: `db`, `restate_app`, `restate`,
    `flask-todo`, `flask-todo-restate`, as far as they are wanted. It is filled by the first start and kept.
    One that ends stays down, unless a Supervisor watches the stack.
    """

    def __init__(
        self,
        twins: Collection[Twin] = TWINS,
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
            twins: one or both.
            data: folder that keeps everything from one start to the next.
            ports: where the servers listen.
            database_url: one PostgreSQL database for all; without it a server is started here, with one
                database for each twin.
            log: takes the name of a process and a line of its output, from threads.
            overrides: environment variables that win over ours, by the name of the server or step. An address may
                lead through a proxy; migrations keep the direct one unless they are named.
            environment: what all processes inherit; by default that of this process.
            cancelled: once set, start() ends with StopRequested.

        """
        self.twins = [twin for twin in TWINS if twin in twins]
        self.data = data
        self.ports = ports or Ports()
        self.servers: dict[str, Server] = {}
        self._log = log or (lambda _name, _line: None)
        self._plan = Plan(
            twins=self.twins,
            data=data,
            ports=self.ports,
            external_database=database_url,
            log=self._log,
            overrides=overrides or {},
            environment=inherited(os.environ if environment is None else environment),
            cancelled=cancelled or threading.Event(),
        )
        self._parts: Parts | None = None
        self._steps: list[Process] = []
        self._leftovers = Leftovers(data / "processes.json")
        self._folder = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start everything and return when every server is healthy.

        Raises:
            StackError: if something is in the way. Nothing runs then.
            StopRequested: if that was asked for meanwhile. Nothing runs then.

        """
        self._folder.enter_context(data_folder.held(self.data))
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(self.stop)
            if count := self._leftovers.kill():
                self._log("stack", f"ended {count} processes that an earlier start had left")
            self.ports.check(self._plan.wanted_ports)
            self._parts = self._parts or Parts.make(self._plan)
            self.servers.update(self._parts.servers)
            start_in_order(self._parts, self.spawn)
            on_failure.pop_all()

    def stop(self) -> None:
        """Stop everything, callers first, so that none calls a server that is gone. What takes too long is killed."""
        with contextlib.ExitStack() as last_first:
            last_first.callback(self._folder.close)
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
            each.callback(self._folder.close)
            for process in (*self.servers.values(), *self._steps):
                each.callback(process.kill)
        self._steps.clear()

    def spawn(self, process: Process) -> None:
        """Start one of the servers, or a step, without waiting; the next start of a stack knows that it ran.

        Raises:
            StackError: if it runs already or its program cannot be run.

        """
        process.spawn()
        servers = self.servers.values()
        if process not in servers:
            self._steps.append(process)
        self._leftovers.record(one.pid for one in (*servers, *self._steps) if one.pid)

    def database_url(self, twin: Twin) -> str:
        """Return the address of a twin's database, as it is without any override."""
        return self._plan.database_url(twin)
