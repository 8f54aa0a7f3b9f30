"""One contestant: what is to be known of it, and how it is started, killed and asked what it still has to do."""

import importlib.util
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.costs.measure.extra_servers import ExtraServers
from tests.costs.measure.twin_internals import web_settings
from tests.costs.peers.records import About
from tests.costs.source import Counted
from tests.support.database import execute
from tests.support.running_twin import RunningTwin
from todo_stack import tree
from todo_stack.applications import REPOSITORY
from todo_stack.checks import http_ok
from todo_stack.errors import StackError
from todo_stack.process import KILL_SECONDS, Server
from todo_stack.twins import PLAIN

FOR_ALL = {
    # A line for each request costs time.
    "LOG_LEVEL": "warning",
    # Under load an add is waited for until it is done: one that is answered as pending has no time.
    "WRITE_BUDGET": "25",
}

WAITING_THREADS: int = web_settings("restate").model_fields["web_threads"].default
"""Threads of a web that waits for another process to do the write: as many as the Restate twin has."""

WAITS_FOR_A_WORKER = {"WEB_THREADS": str(WAITING_THREADS)}
"""Beside the defaults, which are those of the twins."""

RESTART_SECONDS = 30.0

Unfinished = Callable[[], list[dict[str, Any]]]
"""Returns what a contestant has still to do."""


@dataclass(frozen=True)
class Peer:
    """Something that a user can pick, and that can be started here if what it needs is there."""

    about: About
    code: Sequence[Counted]
    """What makes its add durable, as source."""
    start: Callable[[ExtraServers], "Contestant"]
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


class Contestant(RunningTwin):
    """An application with the twins' JSON API, running, as the checker knows a twin.

    `components` are its servers beside the web; the last of them executes the write, without any the web does.
    `unfinished` is for those of which the twins' own knows nothing.
    """

    def __init__(
        self,
        about: About,
        extra: ExtraServers,
        web: tuple[Server, str],
        database_url: str,
        components: Sequence[Server] = (),
        unfinished: Unfinished | None = None,
    ) -> None:
        server, url = web
        super().__init__(PLAIN, extra.stack, url)
        self.name = about.name
        self.about = about
        self.components = components
        self._web_server = server
        self._database_url = database_url
        self._unfinished = unfinished

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 - SQL's
        """Return the rows of a query on its database."""
        return execute(self._database_url, query, *parameters)

    def unfinished(self) -> list[dict[str, Any]]:
        """Return what it has still to do."""
        return self._unfinished() if self._unfinished else super().unfinished()

    def answer_within(self, seconds: float) -> None:
        """Start the web again, with this write budget."""
        self._web_server.stop()
        self._web_server.env["WRITE_BUDGET"] = str(seconds)
        self._web_server.start()

    def kill_writer(self) -> None:
        """Kill what executes the write (SIGKILL) and return when it is there again; raises StackError otherwise."""
        server = self.components[-1] if self.components else self._web_server
        assert server.pid
        members = tree.family(server.pid)
        if not self.components:
            # gunicorn's first process executes nothing: it holds the port, and starts the other again.
            del members[0]
        # Not frozen before, as Server.kill does: a process that is killed takes nothing more from its queue.
        tree.kill(members)
        tree.wait_gone(members, KILL_SECONDS)
        if self.components:
            server.kill()
            server.start()
            return
        ready = http_ok(f"{self.url}/readyz")
        deadline = time.monotonic() + RESTART_SECONDS
        while not ready():
            if time.monotonic() > deadline:
                raise StackError(f"{self.name}: the web has not come again")


def code_of(peer: str) -> list[Counted]:
    """Return what makes a peer: its own files but the one that starts it here, and what all of them have in common."""
    folder = REPOSITORY / "tests" / "costs"
    own = sorted(path for path in (folder / "peers" / f"{peer}_peer").glob("*.py") if path.name != "running.py")
    common = ["peers/web.py", "peers/database.py", "gunicorn_after_fork.py"]
    return [Counted(str(path.relative_to(REPOSITORY))) for path in (*own, *(folder / name for name in common))]


def web_of(peer: str) -> str:
    """Return the web application of a peer, for gunicorn."""
    return f"tests.costs.peers.{peer}_peer.app:create_app()"


def unfinished_rows(database_url: str, query: str) -> Unfinished:
    """Return what finds the unfinished work of a contestant that keeps it in a table: key and state of each."""
    return lambda: [{"key": key, "state": state} for key, state in execute(database_url, query)]
