"""What is measured: the contestants, running, and the same rows in the database of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import psycopg

from tests.bench.load import Request
from tests.bench.results import Contestant, OperationName
from todo_stack.process import Server
from todo_stack.stack import Stack

TWINS: tuple[Contestant, ...] = ("basic", "restate")
OPERATIONS: tuple[OperationName, ...] = ("add", "update", "delete", "list")

ROWS = 1000
"""In each database when a sample is taken: a page of the list is full then, and there are more."""

SERVERS: Mapping[Contestant, tuple[str, ...]] = {
    "basic": ("flask-todo", "db"),
    "restate": ("flask-todo-restate", "restate", "restate_app", "db"),
    "minimal": ("minimal", "db"),
}
"""The servers that take part in a write, in the order in which it reaches them first."""

_REQUESTS: Mapping[OperationName, Request] = {
    # Each write is unique: no server can save itself one that changes nothing.
    "add": Request("POST", "/api/todos", 201, {"title": "bench {unique}"}),
    "update": Request("PATCH", "/api/todos/{id}", 200, {"title": "bench {unique}"}),
    "delete": Request("DELETE", "/api/todos/{id}", 204),
    "list": Request("GET", "/", 200),
}


@dataclass(frozen=True)
class Arena:
    """Contestants that are up, all on one PostgreSQL server, with a database for each."""

    stack: Stack
    urls: Mapping[Contestant, str]
    databases: Mapping[Contestant, str]
    extra: Mapping[str, Server]
    """Servers beside those of the stack, by name."""

    @classmethod
    def of_twins(cls, stack: Stack) -> "Arena":
        """Return the arena of a running stack with both twins."""
        return cls(
            stack=stack,
            urls={twin: stack.ports.web_url(twin) for twin in TWINS},
            databases={twin: stack.database_url(twin) for twin in TWINS},
            extra={},
        )

    def joined(self, contestant: Contestant, url: str, database: str, server: Server) -> "Arena":
        """Return the arena with one more."""
        return replace(
            self,
            urls={**self.urls, contestant: url},
            databases={**self.databases, contestant: database},
            extra={**self.extra, server.name: server},
        )

    def who(self, operation: OperationName, clients: int, extra_clients: Sequence[int]) -> list[Contestant]:
        """Return who is measured at this: the twins always, others only at adding, and with these clients."""
        others = operation == "add" and clients in extra_clients
        return [contestant for contestant in self.urls if contestant in TWINS or others]

    def servers(self, contestant: Contestant) -> dict[str, Server]:
        """Return the servers of a contestant by name."""
        everything = {**self.stack.servers, **self.extra}
        return {name: everything[name] for name in SERVERS[contestant]}

    def prepare(self, contestant: Contestant, operation: OperationName, requests: int) -> Request:
        """Fill the database of a contestant for so many requests at most, and return what to send."""
        request = _REQUESTS[operation]
        if operation == "delete":
            ids = fill(self.databases[contestant], ROWS + requests)
            # Those that are left are as many as for the other operations.
            return replace(request, ids=ids[:requests])
        ids = fill(self.databases[contestant], ROWS)
        return replace(request, ids=ids) if operation == "update" else request


def fill(database_url: str, rows: int) -> list[int]:
    """Empty the tables of a database, put so many todos there and return their ids."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("TRUNCATE todo, operation RESTART IDENTITY")
        found = connection.execute(
            "INSERT INTO todo (task) SELECT 'prepared ' || number FROM generate_series(1, %s) AS number RETURNING id",
            [rows],
        ).fetchall()
        # Now and not by itself in the middle of a sample.
        connection.execute("VACUUM ANALYZE todo")
    return [row[0] for row in found]


def version(database_url: str) -> str:
    """Return the version of PostgreSQL."""
    with psycopg.connect(database_url) as connection:
        return (connection.info.parameter_status("server_version") or "unknown").split()[0]
