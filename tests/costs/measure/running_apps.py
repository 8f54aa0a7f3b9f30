"""The applications that are measured, running, and the same rows in the database of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.costs.measure.load_generator import ADD, LIST, Request
from tests.costs.records import AnyRequestKind, ApplicationName
from tests.support.database import execute
from tests.support.truth import AMOUNT, CURRENCY
from todo_stack.database_roles import SUPERUSER
from todo_stack.process import Server
from todo_stack.size import split
from todo_stack.stack import Stack

ROWS = 1000
"""In each database when a sample is taken: a page of the list is full then, and there are more."""

# Each write is unique: no server can save itself one that changes nothing.
_REQUESTS: Mapping[AnyRequestKind, Request] = {
    "update": Request("PATCH", "/api/todos/{id}", 200, {"title": "updated {unique}"}),
    "delete": Request("DELETE", "/api/todos/{id}", 204),
    "list": LIST,
    "pay": Request("POST", "/api/todos/{id}/bounty/payment", 201),
}
_ONCE = ("delete", "pay")
"""What can be done only once with each todo."""


@dataclass(frozen=True, eq=False)
class RunningApp:
    """An application that is up, with a database of its own."""

    name: ApplicationName
    url: str
    database: str
    servers: Mapping[str, Server]
    """By name, in the order in which a write reaches them first."""
    add: Request = ADD

    def prepare(self, kind: AnyRequestKind, requests: int = 0) -> Request:
        """Fill the database for so many requests at most, and return what to send."""
        # What deletions leave is as much as there is for the other requests.
        fill(self.database, ROWS + (requests if kind in _ONCE else 0))
        if kind == "pay":
            put_bounties(self.database)
        request = self.add if kind == "add" else _REQUESTS[kind]
        if "{id}" not in request.path:
            return request
        ids = [row[0] for row in execute(self.database, "SELECT id FROM todo ORDER BY id")]
        return request._replace(ids=ids[:requests] if kind in _ONCE else ids)


def twins_of(stack: Stack) -> list[RunningApp]:
    """Return those twins that a stack runs."""
    return [
        RunningApp(
            twin.key, stack.ports.web_url(twin), stack.database_url(twin, SUPERUSER), _servers(stack, twin.servers)
        )
        for twin in stack.twins
    ]


def _servers(stack: Stack, kinds: Sequence[str]) -> dict[str, Server]:
    """Return all servers of these kinds, the last kind first."""
    return {name: one for kind in reversed(kinds) for name, one in stack.servers.items() if split(name)[0] == kind}


def fill(database_url: str, rows: int) -> None:
    """Empty the tables of a database, and put so many todos there."""
    insert = "INSERT INTO todo (task) SELECT 'prepared ' || number FROM generate_series(1, %s) AS number"
    # Each twin has tables of its own.
    named = "SELECT string_agg(tablename, ', ') FROM pg_tables WHERE schemaname = 'public' AND tablename !~ 'alembic'"
    ((tables,),) = execute(database_url, named)
    execute(database_url, f"TRUNCATE {tables} RESTART IDENTITY")
    execute(database_url, insert, rows)
    # Now and not by itself in the middle of a sample.
    execute(database_url, "VACUUM ANALYZE todo")


def put_bounties(database_url: str) -> None:
    """Put a bounty on each todo."""
    insert = "INSERT INTO bounty (todo_id, amount, currency) SELECT id, %s, %s FROM todo"
    execute(database_url, insert, AMOUNT, CURRENCY)
    execute(database_url, "VACUUM ANALYZE bounty")
