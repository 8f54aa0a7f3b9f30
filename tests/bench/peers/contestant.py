"""One contestant: how it is started, killed and asked what it still has to do."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.bench.peers.lines import Counted
from tests.lab.twins import Twin
from todo_stack import tree
from todo_stack.checks import http_ok
from todo_stack.errors import StackError
from todo_stack.process import KILL_SECONDS, Server
from todo_stack.stack import Stack

RESTART_SECONDS = 30.0

Unfinished = Callable[[], list[dict[str, Any]]]
"""Returns what a contestant has still to do."""


@dataclass(frozen=True)
class About:
    """What the table says of a contestant beside the numbers."""

    title: str
    code: Sequence[Counted]
    """What makes its add durable, as source."""
    durable: str
    """The settings that its promise rests on."""
    killed: str
    """Which process executes the write, and is killed."""
    not_comparable: str


@dataclass
class Parts:
    """The processes of a contestant: callers last."""

    web: Server
    components: list[Server] = field(default_factory=list)
    """Beside PostgreSQL and the web."""
    writer: Server | None = None
    """Executes the write; None if the web does."""


class Contestant(Twin):
    """An application with the twins' JSON API, running, as the checker knows a twin."""

    def __init__(
        self,
        name: str,
        about: About,
        parts: Parts,
        *,
        stack: Stack,
        url: str,
        database_url: str,
        unfinished: Unfinished | None = None,
    ) -> None:
        """Describe a contestant; `unfinished` is for those of which the twins' own knows nothing."""
        super().__init__(name, web="", writer="", stack=stack, url=url)
        self.about = about
        self.parts = parts
        self._database_url = database_url
        self._unfinished = unfinished

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 - SQL's
        """Return the rows of a query on its database."""
        with psycopg.connect(self._database_url, autocommit=True) as connection:
            return connection.execute(query.encode(), parameters).fetchall()

    def unfinished(self) -> list[dict[str, Any]]:
        """Return what it has still to do."""
        return self._unfinished() if self._unfinished else super().unfinished()

    def answer_within(self, seconds: float) -> None:
        """Start the web again, with this write budget."""
        self.parts.web.stop()
        self.parts.web.env["WRITE_BUDGET"] = str(seconds)
        self.parts.web.start()

    def kill_writer(self) -> None:
        """Kill what executes the write (SIGKILL, at any moment) and return when it is there again.

        Raises:
            StackError: it did not come again.

        """
        server = self.parts.writer or self.parts.web
        assert server.pid
        members = tree.family(server.pid)
        if server is self.parts.web:
            # gunicorn's first process executes nothing: it holds the port, and starts the other again.
            del members[0]
        # Not frozen before, as Server.kill does: a process that is killed takes nothing more from its queue.
        tree.kill(members)
        tree.wait_gone(members, KILL_SECONDS)
        if server is self.parts.writer:
            server.kill()
            server.start()
            return
        ready = http_ok(f"{self.url}/readyz")
        deadline = time.monotonic() + RESTART_SECONDS
        while not ready():
            if time.monotonic() > deadline:
                raise StackError(f"{self.name}: the web has not come again")


def rows_as_dicts(database_url: str, query: str) -> list[dict[str, Any]]:
    """Return the rows of a query."""
    with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as connection:
        return connection.execute(query.encode()).fetchall()
