"""The stack: the servers of one twin or both as one thing that is started, stopped and killed."""

import contextlib
from dataclasses import dataclass, field
from typing import Self

from todo_stack import data_folder, restate, tree
from todo_stack.description import StackDescription
from todo_stack.postgres import Postgres, check_url
from todo_stack.process import Process, Server
from todo_stack.twins import OUTSIDE_WORLD, RESTATE


@dataclass(eq=False, repr=False)
class Stack(StackDescription):
    """Real servers for one twin or both, on one data folder.

    One that ends stays down, unless a Supervisor watches the stack.
    """

    servers: dict[str, Server] = field(default_factory=dict, init=False)
    """By name, those that are called before those that call: `outside_world`, `db`, `restate_app`, `restate`,
    `flask-todo`, `flask-todo-restate`, as far as they are wanted. It is filled by the first start and kept."""
    _postgres: Postgres | None = field(default=None, init=False)
    """The server `db` is its; None if an external database is used."""
    _steps: list[Process] = field(default_factory=list, init=False)
    _folder: contextlib.ExitStack = field(default_factory=contextlib.ExitStack, init=False)

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
            if count := data_folder.kill_leftovers(self.data):
                self.log("stack", f"ended {count} processes that an earlier start had left")
            own_database = [] if self.external_database else ["postgres"]
            third_parties = [OUTSIDE_WORLD] if self.with_outside_world else []
            self.ports.check(own_database + third_parties + [port for twin in self.twins for port in twin.ports])
            if not self.servers:
                self._make_servers()
            self._start_in_order()
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
        tree.kill([member for pid in running for member in tree.freeze(pid)])
        with contextlib.ExitStack() as each:
            each.callback(self._folder.close)
            for process in (*self.servers.values(), *self._steps):
                each.callback(process.kill)
        self._steps.clear()

    def spawn(self, process: Process) -> None:
        """Start one of the servers, or a step, without waiting; the next start of a stack knows that it ran."""
        process.env |= data_folder.mark_of(self.data)
        process.spawn()
        if process not in self.servers.values():
            self._steps.append(process)

    def _make_servers(self) -> None:
        """Make the servers, none of which runs; secrets that are not there yet are made and kept in the data folder."""
        made = [self.outside_world()] if self.with_outside_world else []
        if self.external_database:
            check_url(self.external_database)
        else:
            folder, env = self.data / "postgres", self.inherited()
            self._postgres = Postgres(folder, self.ports.postgres, env, self.log, self.cancelled)
            made.append(self._postgres.server)
        if RESTATE in self.twins:
            made.append(self.service())
            folder, env = self.data / "restate", self.env("restate", {})
            made.append(restate.server(folder, self.identity_file, self.ports, env, self.log, self.cancelled))
        made += [self.web(twin) for twin in self.twins]
        self.servers.update((server.name, server) for server in made)

    def _start_in_order(self) -> None:
        """Start together what depends on nothing, and the rest as soon as what it needs is there; wait for health."""
        if self.with_outside_world:
            self.spawn(self.servers[OUTSIDE_WORLD])
        if RESTATE in self.twins:
            self.spawn(self.servers["restate"])
        if self._postgres:
            self._postgres.prepare()
            self.spawn(self.servers["db"])
            self.servers["db"].wait_ready()
            self._postgres.create_databases(twin.database for twin in self.twins)
        migrations = [self.migration(twin) for twin in self.twins]
        for migration in migrations:
            self.spawn(migration)
        for migration in migrations:
            migration.finish()
        if RESTATE in self.twins:
            self.spawn(self.servers[RESTATE.writer])
        for twin in self.twins:
            self.spawn(self.servers[twin.title])
        if RESTATE in self.twins:
            self.servers["restate"].wait_ready()
            self.servers[RESTATE.writer].wait_ready()
            registration = self.registration()
            self.spawn(registration)
            registration.finish()
        for twin in self.twins:
            self.servers[twin.title].wait_ready()
        if self.with_outside_world:
            self.servers[OUTSIDE_WORLD].wait_ready()
