"""The stack: the servers of one twin or both as one thing that is started, stopped and killed."""

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self

from todo_stack import connections, data_folder, tree
from todo_stack.description import StackDescription
from todo_stack.errors import StackError
from todo_stack.files import read, write_whole
from todo_stack.ports import HOST
from todo_stack.postgres import Postgres, check_url
from todo_stack.process import Process, Server
from todo_stack.restate import NODE_PORTS
from todo_stack.size import FEWEST, MOST, numbered, split
from todo_stack.twins import OUTSIDE_WORLD, RESTATE, TWINS

_BACKLOG = 1024
"""How many connections wait until one of them accepts."""


@dataclass(eq=False, repr=False)
class Stack(StackDescription):
    """Real servers for one twin or both, on one data folder.

    One that ends stays down, unless a Supervisor watches the stack.
    """

    servers: dict[str, Server] = field(default_factory=dict, init=False)
    """By name, those that are called before those that call: `outside_world`, `db`, `restate_app`, `restate`,
    `flask-todo`, `flask-todo-restate`, as far as they are wanted; a second one ends in `_2`. It is filled by the first
    start and kept."""
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
            self.ports.check(self._wanted_ports())
            self._check_nodes()
            if not self.servers:
                self._make_servers()
            self._share_ports()
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

    def _wanted_ports(self) -> Iterator[tuple[str, int]]:
        """Yield the field of each port, and how much later it comes."""
        # Webs, and endpoints, share one port; but each is scraped by itself.
        webs = [f"{twin.package}_metrics" for twin in TWINS]
        counts = dict.fromkeys(NODE_PORTS, self.size.nodes) | dict.fromkeys(webs, self.size.webs)
        counts[f"{RESTATE.writer}_metrics"] = self.size.services
        for name in [*([] if self.external_database else ["postgres"]), *([OUTSIDE_WORLD] * self.with_outside_world)]:
            yield name, 0
        for name in (name for twin in self.twins for name in twin.ports):
            yield from ((name, by) for by in range(counts.get(name, 1)))

    def _check_nodes(self) -> None:
        """Raise StackError if the journal is of more nodes, which hold parts of it, or of one.

        What one node has done it removes from its log, and so others could not follow without its snapshots.
        """
        made, nodes = self._nodes_made(), self.size.nodes
        if RESTATE in self.twins and made and (made > nodes or made == 1 < nodes):
            raise StackError(
                f"the journal in {self.data} is of {made} Restate node{'s' * (made > 1)}, and not of {nodes}:"
                f" start it with NODES={made}, or another one with TODO_DATA=<another folder>"
            )

    def _nodes_made(self) -> int:
        """Return how many nodes the journal has; 0 if there is none."""
        if self._cluster_file.exists():
            return int(read(self._cluster_file))
        folders = [number for number in range(1, MOST + 1) if (self.data / numbered("restate", number)).exists()]
        last = max(folders, default=0)
        # A first start that was interrupted may have made them a cluster.
        return last if last < 2 else max(last, FEWEST)

    def _share_ports(self) -> None:
        """Listen for servers of which there are several: whichever is free accepts, and a dead or frozen one does not.

        So their port is there while one is started again. Until the stack stops, this process holds it.
        """
        shared = [(self.ports.web(twin), twin.title, self.size.webs) for twin in self.twins]
        if RESTATE in self.twins:
            shared.append((self.ports.restate_service, RESTATE.writer, self.size.services))
        for port, kind, count in shared:
            if count > 1:
                listener = self._folder.enter_context(socket.create_server((HOST, port), backlog=_BACKLOG))
                for server in self._of_kind(kind):
                    server.listener, address = listener, f"fd://{listener.fileno()}"
                    server.env |= {"RESTATE_SERVICE_SOCKET": address, "GUNICORN_CMD_ARGS": f"--bind {address}"}

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
            made += self.services()
            made += [self.node(number) for number in range(1, self.size.nodes + 1)]
        made += [web for twin in self.twins for web in self.webs(twin)]
        self.servers.update((server.name, server) for server in made)

    def _of_kind(self, kind: str) -> list[Server]:
        return [server for name, server in self.servers.items() if split(name)[0] == kind]

    def _start_in_order(self) -> None:
        """Start together what depends on nothing, and the rest as soon as what it needs is there; wait for health."""
        nodes, services = self._of_kind("restate"), self._of_kind(RESTATE.writer)
        if len(nodes) > 1:
            found = self._cluster_file.exists()
            # The first makes the cluster, once: a node that has lost its data would make one of its own.
            nodes[0].env["RESTATE_AUTO_PROVISION"] = str(not found).lower()
            if found:
                # Now, because a new one may have joined when this start is interrupted.
                self._keep_number(nodes)
        for server in (*self._of_kind(OUTSIDE_WORLD), *nodes):
            self.spawn(server)
        if self._postgres:
            self._postgres.prepare()
            self.spawn(self._postgres.server)
            self._postgres.server.wait_ready()
            self._postgres.create_databases(twin.database for twin in self.twins)
        self._check_connections()
        migrations = [self.migration(twin) for twin in self.twins]
        for migration in migrations:
            self.spawn(migration)
        for migration in migrations:
            migration.finish()
        for server in (*services, *(web for twin in self.twins for web in self._of_kind(twin.title))):
            self.spawn(server)
        for server in (*nodes, *services):
            server.wait_ready()
        if len(nodes) > 1:
            self._keep_number(nodes)
            nodes[0].env["RESTATE_AUTO_PROVISION"] = "false"
        if services:
            registration = self.registration()
            self.spawn(registration)
            registration.finish()
        for server in self.servers.values():
            server.wait_ready()

    def _check_connections(self) -> None:
        """Raise StackError if the pools may take more than PostgreSQL gives; of somebody else's, only say so."""
        kinds = {kind for twin in self.twins for kind in (twin.title, twin.writer)}
        servers = [server for kind in kinds for server in self._of_kind(kind)]
        problem = connections.too_many(self.database_url(self.twins[0]), servers)
        if problem and not self.external_database:
            raise StackError(problem)
        if problem:
            # There may be a pooler in between.
            self.log("stack", problem)

    def _keep_number(self, nodes: list[Server]) -> None:
        write_whole(self._cluster_file, str(len(nodes)).encode())
