"""Who takes part: the two twins, and what a user would pick instead; how each is started, killed and asked."""

import asyncio
import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.costs.lines_of_code import lines_of_code
from tests.costs.measure.extra_servers import PYTHON_MODULE, Environment, ExtraServers, free_port
from tests.costs.measure.running_apps import RunningApp
from tests.costs.measure.twin_internals import web_setting
from tests.costs.peers.records import PEERS_FILE, About
from tests.support.control import LEDGER_ONLY
from tests.support.database import execute
from tests.support.run_environment import versions
from tests.support.running_twin import RunningTwin
from tests.support.waiting import until
from todo_stack import tree
from todo_stack.checks import http_ok, tcp_open
from todo_stack.ports import HOST
from todo_stack.process import KILL_SECONDS, Server
from todo_stack.twins import PLAIN, RESTATE, Twin

FOR_ALL = {
    # A line for each request costs time.
    "LOG_LEVEL": "warning",
    # Under load an add is waited for until it is done: one that is answered as pending has no time.
    "WRITE_BUDGET": "25",
}

WAITING_THREADS = int(web_setting(RESTATE, "web_threads"))
"""Threads of a web that waits for another process to do the write: as many as the Restate twin has."""


class Peer(About):
    """Something that a user can pick, and that can be started here if what it needs is there."""

    twin: Twin | None = None
    """The twin, which the stack runs already; None for a peer, which is started beside it."""
    application: str = ""
    """The module whose create_app() makes its web, with its migrations; by default a sketch on the twins' tables."""
    start_servers: Callable[[ExtraServers, Environment], Sequence[Server]] = lambda *_: ()
    """Starts, with settings, its servers beside the web, the one that writes last."""
    code: Mapping[str, Sequence[str]] = {}
    """What makes a twin's add, by file, and the definitions in it that have no part in that."""
    unfinished: str | Callable[["Contestant"], Sequence[Any]] = ""
    """What it has still to do, by a query on its database or otherwise; nothing for a twin and the control."""
    packages: Sequence[str] = ()
    program: str = ""
    program_from: str = ""
    """Where the program is to be had."""

    def missing(self) -> str:
        """Return what it needs and does not find here, and how to get it; an empty text if it has everything."""
        packages = [name for name in self.packages if importlib.util.find_spec(name) is None]
        reasons = [f"{', '.join(packages)} not installed: make bench-peers installs it"] if packages else []
        if self.program and not shutil.which(self.program):
            reasons.append(f"{self.program} not found: {self.program_from}")
        return "; ".join(reasons)

    def versions(self) -> dict[str, str]:
        """Return the versions of what it needs."""
        found = versions(self.packages)
        if self.program:
            said = subprocess.run([self.program, "--version"], capture_output=True, text=True, check=False).stdout
            if version := re.search(r"(?:v=|Server )([\d.]+)", said):
                found[Path(self.program).name] = version.group(1)
        return found

    def lines(self) -> dict[str, int]:
        """Return how many lines make its add durable, by file: of a peer its sketch, and what sketches share."""
        files = (f"peers/{self.name}_peer.py", "peers/sketch.py", "gunicorn_after_fork.py")
        code = self.code or {f"tests/costs/{file}": () for file in files}
        return {path: lines_of_code(path, without) for path, without in code.items()}

    def start(self, extra: ExtraServers) -> "Contestant":
        """Start what does not run yet."""
        if twin := self.twin:
            stack = extra.stack
            others = [name for name in reversed(twin.servers) if name not in ("db", twin.title)]
            settings = {"DATABASE_URL": stack.database_url(twin)}
            web = stack.servers[twin.title], stack.ports.web_url(twin)
            return Contestant(self, extra, web, settings, [stack.servers[name] for name in others])
        database_url = extra.database(f"todos_{self.name}", self.application or PLAIN.application)
        settings = {"DATABASE_URL": database_url, "SERVER_ADDRESS": f"{HOST}:{free_port()}"}
        servers = self.start_servers(extra, settings)
        threads = {"WEB_THREADS": str(WAITING_THREADS)} if servers else {}
        factory = f"{self.application or f'tests.costs.peers.{self.name}_peer'}:create_app()"
        return Contestant(self, extra, extra.web(f"{self.name} web", factory, settings | threads), settings, servers)


class Contestant(RunningTwin):
    """An application with the twins' JSON API, running."""

    def __init__(
        self, peer: Peer, extra: ExtraServers, web: tuple[Server, str], settings: Environment, servers: Sequence[Server]
    ) -> None:
        """Take the web with its address, and the servers beside it: the last of them writes, without any the web."""
        self._web, url = web
        super().__init__(peer.twin or PLAIN, extra.stack, url)
        self.peer = peer
        self.settings = settings
        self.servers = servers
        self._extra = extra

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query on its database."""
        return execute(self.settings["DATABASE_URL"], query, *parameters)

    @property
    def app(self) -> RunningApp:
        """What load is put on, with its database."""
        servers = {server.name: server for server in (self._web, *self.servers, self._extra.stack.servers["db"])}
        return RunningApp(self.peer.name, self.url, self.settings["DATABASE_URL"], servers)

    def unfinished(self) -> list[dict[str, Any]]:
        """Return what it has still to do."""
        ask = self.peer.unfinished
        if not ask:
            return super().unfinished()
        return [{"unfinished": one} for one in (self.rows(ask) if isinstance(ask, str) else ask(self))]

    def answer_within(self, seconds: float) -> None:
        """Start the web again, with this write budget."""
        self._web.stop()
        self._web.env["WRITE_BUDGET"] = str(seconds)
        self._extra.run(self._web)

    def kill_writer(self) -> None:
        """Kill what executes the write (SIGKILL) and return when it is there again."""
        server = self.servers[-1] if self.servers else self._web
        assert server.pid
        members = tree.family(server.pid)
        if not self.servers:
            # gunicorn's first process executes nothing: it holds the port, and starts the other again.
            del members[0]
        # Not frozen before, as Server.kill does: a process that is killed takes nothing more from its queue.
        tree.kill(members)
        tree.wait_gone(members, KILL_SECONDS)
        if self.servers:
            server.kill()
            self._extra.run(server)
        until(http_ok(f"{self.url}/readyz"), f"the web of {self.peer.title} is there again")


_OUTBOX = [*PYTHON_MODULE, "tests.costs.peers.outbox_peer"]

TEMPORAL = str(Path(sys.executable).parent / "temporal")


def _celery_servers(extra: ExtraServers, settings: Environment) -> list[Server]:
    host, _, port = settings["SERVER_ADDRESS"].rpartition(":")
    data = extra.stack.data / "redis"
    data.mkdir()
    # Every write is on the disk before it is answered; snapshots beside that would only take time.
    durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
    options = ["--bind", host, "--port", port, "--dir", str(data), "--loglevel", "warning", *durable]
    redis = extra.start("redis", ["redis-server", *options], {}, tcp_open(int(port)))
    # As many processes as a web that does the write itself has threads. Workers that talk to one another are of no use
    # where there is one.
    pool = ["--pool", "prefork", "--concurrency", "8", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    command = [*PYTHON_MODULE, "celery", "-A", "tests.costs.peers.celery_peer", "worker", "--loglevel", "WARNING"]
    return [redis, extra.start("celery worker", [*command, *pool], settings)]


def _celery_unfinished(contestant: Contestant) -> list[Any]:
    """Return the queues that are not empty: of tasks that wait, and of those that are not acknowledged."""
    import redis

    with redis.Redis.from_url(f"redis://{contestant.settings['SERVER_ADDRESS']}/0") as client:
        lengths = {"waiting": client.llen("celery"), "unacknowledged": client.hlen("unacked")}
    return [(name, length) for name, length in lengths.items() if length]


def _temporal_servers(extra: ExtraServers, settings: Environment) -> list[Server]:
    host, _, port = settings["SERVER_ADDRESS"].rpartition(":")
    command = [TEMPORAL, "server", "start-dev", "--headless", "--ip", host, "--port", port, "--log-level", "error"]
    command += ["--db-filename", str(extra.stack.data / "temporal.db")]
    # By default SQLite writes each page twice and flushes more often; neither loses a commit.
    command += ["--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=full"]
    server = extra.start("temporal", command, {}, tcp_open(int(port)))
    return [server, extra.start("temporal worker", [*PYTHON_MODULE, "tests.costs.peers.temporal_peer"], settings)]


def _temporal_unfinished(contestant: Contestant) -> Sequence[Any]:
    """Return how many workflows run."""
    from temporalio.client import Client

    async def running() -> int:
        client = await Client.connect(contestant.settings["SERVER_ADDRESS"])
        return (await client.count_workflows("ExecutionStatus = 'Running'")).count

    return [number] if (number := asyncio.run(running())) else []


_STARTED: Mapping[str, Mapping[str, Any]] = {
    PLAIN.key: {"twin": PLAIN},
    RESTATE.key: {"twin": RESTATE},
    LEDGER_ONLY.key: {"application": LEDGER_ONLY.application},
    "celery": {"start_servers": _celery_servers, "unfinished": _celery_unfinished},
    "temporal": {"start_servers": _temporal_servers, "unfinished": _temporal_unfinished, "program": TEMPORAL},
    "outbox": {"start_servers": lambda extra, settings: [extra.start("outbox worker", _OUTBOX, settings)]},
}
PEERS = [Peer(**about, **_STARTED.get(name, {})) for name, about in PEERS_FILE.items()]
