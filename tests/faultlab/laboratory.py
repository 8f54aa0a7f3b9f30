"""One twin with a proxy on every link that a write crosses, so that each message can be stopped."""

import contextlib
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import requests

from tests.faultlab.wire.events import EventLog
from tests.faultlab.wire.http1 import Http1Protocol
from tests.faultlab.wire.http2 import Http2Protocol
from tests.faultlab.wire.messages import WireProtocol
from tests.faultlab.wire.postgres import PostgresProtocol
from tests.faultlab.wire.proxy import Proxy
from tests.support.control import LEDGER_ONLY
from tests.support.database import execute
from tests.support.running_twin import RunningServer, RunningTwin
from todo_stack.data_folder import mark_of
from todo_stack.database_roles import SUPERUSER
from todo_stack.output import Log, no_log
from todo_stack.ports import HOST, Ports
from todo_stack.size import ONE, Size, split
from todo_stack.stack import Stack
from todo_stack.twins import OUTSIDE_WORLD, PLAIN, RESTATE, Twin

CLIENT = "client to web"
INGRESS = "web to ingress"
SERVICE = "Restate to service"

TIMEOUTS = {
    # Every time-out of the twins, so short that waiting it out takes seconds. Their order is that of the defaults:
    # a statement, then a silent connection, then a step that Restate takes for dead.
    "DB_CONNECT_TIMEOUT_SECONDS": "2",
    "DB_STATEMENT_TIMEOUT_SECONDS": "2",
    "DB_SILENCE_TIMEOUT_SECONDS": "3",
    "DB_POOL_TIMEOUT_SECONDS": "1",
    "STEP_INACTIVITY_TIMEOUT_SECONDS": "4",
    "STEP_ABORT_TIMEOUT_SECONDS": "1",
    "OUTSIDE_TIMEOUT_SECONDS": "3",
}
LONGER_THAN_EVERY_TIMEOUT_SECONDS = 7.0
CLIENT_TIMEOUT_SECONDS = 6.0
"""Longer than the write budget, a silent connection and a try to make a new one, so that the twins can answer."""

FIRST_ID = 700_000_000
POOL_SIZE = 40
ROOM = {"WEB_THREADS": str(2 * POOL_SIZE), "DB_POOL_SIZE": str(POOL_SIZE)}
"""Each held operation keeps a thread and a connection: this is room for those that are held together.

And as many threads again, for as many that find no connection: if they waited for a thread, too, some would come when
the first connection is given up.
"""


OUTSIDE = "outside world"

PROCESSES = {
    PLAIN: {"web": PLAIN.title, "database": "db", OUTSIDE: OUTSIDE_WORLD},
    RESTATE: {
        "web": RESTATE.title,
        "Restate": "restate",
        "service": RESTATE.writer,
        "database": "db",
        OUTSIDE: OUTSIDE_WORLD,
    },
    LEDGER_ONLY: {"web": LEDGER_ONLY.title, "database": "db", OUTSIDE: OUTSIDE_WORLD},
}
"""The servers of each twin by what seams and faults call them, in the order in which a write reaches them."""


def database_link(twin: Twin) -> str:
    """Return the name of the link on which a twin's statements go to the database."""
    return "service to database" if twin.durable else "web to database"


def outside_link(twin: Twin) -> str:
    """Return the name of the link on which a twin calls the outside world."""
    return "service to outside world" if twin.durable else "web to outside world"


class Laboratory:
    """A running twin behind proxies. `links` are the proxies by name; `twin` talks through the first of them."""

    def __init__(
        self,
        which: Twin,
        data: Path,
        log: Log | None = None,
        environment: Mapping[str, str] | None = None,
        cancelled: threading.Event | None = None,
        *,
        with_outside_world: bool = False,
        size: Size = ONE,
    ) -> None:
        """Describe the laboratory of one twin; nothing runs yet.

        `environment` adds to the settings of the twin's processes. Once `cancelled` is set, whatever waits for a
        server to start ends with StopRequested. The outside world runs only if it is wanted. Of a cluster, the web has
        a link to each node.
        """
        self.log = EventLog()
        self.which = which
        ports = Ports.free(max(size.nodes, size.services, size.webs))
        settings = {**TIMEOUTS, **ROOM, **(environment or {})}
        self._proxies = contextlib.ExitStack()

        self.links = {CLIENT: self._link(CLIENT, Http1Protocol, ports.web(which))}
        if with_outside_world:
            outside = self.links[outside_link(which)] = self._link(
                outside_link(which), Http1Protocol, ports.outside_world
            )
            settings |= {
                "OUTSIDE_WORLD_URL": self._url(outside_link(which)),
                "WEBHOOK_HOSTS": f"{HOST}:{outside.port}",
            }
        writer = dict(settings)
        overrides = {which.writer: writer}
        if which.durable:
            ingresses = [INGRESS, *(f"{INGRESS} {number}" for number in range(2, size.nodes + 1))]
            for before, name in enumerate(ingresses):
                self.links[name] = self._link(name, Http1Protocol, ports.restate_ingress + before)
            self.links[SERVICE] = self._link(SERVICE, Http2Protocol, ports.restate_service)
            overrides[which.title] = {**settings, "RESTATE_ENDPOINT": ",".join(map(self._url, ingresses))}
            overrides["restate"] = dict(environment or {})
            overrides["registration"] = {"RESTATE_SERVICE_URL": self._url(SERVICE)}
        self.links[database_link(which)] = self._link(database_link(which), PostgresProtocol, ports.postgres)
        self.stack = Stack(
            [which], data=data, ports=ports, size=size, log=log or no_log, overrides=overrides, cancelled=cancelled
        )
        direct = self.stack.database_url(which, "writer")
        writer["DATABASE_URL"] = re.sub("@[^@/]*/", f"@{HOST}:{self.database.port}/", direct)
        self.twin = RunningTwin(which, self.stack, self._url(CLIENT))
        # Not one of the stack's servers: a power cut in our house is none at the bank.
        self.outside = self.stack.outside_world() if with_outside_world else None
        if self.outside:
            # So that it can be found if this process is killed; by a name of its own, for it outlives a power cut.
            self.outside.env |= mark_of(data / OUTSIDE_WORLD)

    @property
    def database(self) -> Proxy:
        """The link on which the operation's statements go to the database."""
        return self.links[database_link(self.which)]

    @property
    def to_outside(self) -> Proxy:
        """The link on which the twin calls the outside world, which must be wanted."""
        return self.links[outside_link(self.which)]

    @property
    def servers(self) -> dict[str, RunningServer]:
        """By name; with the outside world, if it is there."""
        return {**self.stack.servers, **({OUTSIDE_WORLD: self.outside} if self.outside else {})}

    def server(self, process: str) -> RunningServer:
        """Return the server that seams and faults call so."""
        return self.servers[PROCESSES[self.which][process]]

    @property
    def webs(self) -> list[RunningServer]:
        """The web servers, which share a port."""
        return [server for name, server in self.servers.items() if split(name)[0] == self.which.title]

    @property
    def processes(self) -> list[str]:
        """What seams and faults call the servers that run here."""
        return [process for process, server in PROCESSES[self.which].items() if server in self.servers]

    def busy_sessions(self) -> list[tuple[Any, ...]]:
        """Return the sessions that are at work in the database."""
        # As the superuser, because what other roles do is hidden from all others. One that has not come to its
        # password has done nothing; where its client froze then, it stays for a minute.
        return execute(
            self.stack.database_url(self.which, SUPERUSER),
            "SELECT pid, state, query FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND state NOT IN ('idle', 'starting') AND pid <> pg_backend_pid()",
        )

    def last_asked(self) -> object:
        """Return the last request to the outside world, with its answer if it has one; None without that world."""
        if not self.outside:
            return None
        answer = requests.get(f"{self.stack.ports.outside_world_url}/requests?limit=1", timeout=CLIENT_TIMEOUT_SECONDS)
        return answer.json()["requests"]

    def heal_links(self) -> None:
        """Let everything pass."""
        for link in self.links.values():
            link.clear()
            link.heal()

    def heal(self) -> None:
        """Let everything pass, and start again what does not run."""
        self.heal_links()
        for server in self.servers.values():
            server.resume()
            if not server.running:
                server.start()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as started:
            started.enter_context(self._proxies)
            started.callback(self.stack.stop)
            self.stack.start()
            if self.outside:
                started.callback(self.outside.kill)
                self.outside.start()
            # Ids that nothing else on the links looks like, since an operation is recognised by its todo's id.
            execute(self.stack.database_url(self.which), f"ALTER TABLE todo ALTER COLUMN id RESTART WITH {FIRST_ID}")
            self._running = started.pop_all()
        return self

    def __exit__(self, *_error: object) -> None:
        self._running.close()

    def _link(self, name: str, protocol: type[WireProtocol], port: int) -> Proxy:
        return self._proxies.enter_context(Proxy(name, protocol, upstream=(HOST, port), log=self.log))

    def _url(self, link: str) -> str:
        return f"http://{HOST}:{self.links[link].port}"
