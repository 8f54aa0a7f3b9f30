"""One outage of one server of a running Restate twin, and how long after it everything is done that it kept waiting."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, TypeVar
from uuid import uuid4

import psycopg

from tests.bench.load import Request, put_load
from tests.bench.results import Recovery
from tests.lab.twins import Twin
from todo_stack.errors import StopRequested

Target = Literal["service endpoint", "database", "Restate server"]

SERVERS: dict[Target, str] = {"service endpoint": "restate_app", "database": "db", "Restate server": "restate"}
"""The name of each in the stack."""

HAND_IN_CLIENTS = 32
HAND_IN_SECONDS = 60.0
POLL_SECONDS = 0.002
RECOVERY_SECONDS = 60.0
"""How long a server may need to listen again, and then everything to be applied, before it counts as not recovered."""

Found = TypeVar("Found")


class RecoveryError(AssertionError):
    """Something was accepted and not done, or done twice, or not in time."""


class Outage:
    """An outage with operations in flight: accepted by Restate and not applied.

    They are handed in as the web application does when the write budget is over, which is when it tells its client that
    the write will be done: to the ingress, under a key, without waiting for the result.
    """

    def __init__(self, twin: Twin, target: Target, operations: int) -> None:
        """Prepare it; nothing happens yet."""
        self.twin = twin
        self.target = target
        self.operations = operations
        self.began_at = 0.0
        """When the server was killed; seconds of the monotonic clock."""
        self._given_up = threading.Event()
        self._marker = f"outage-{uuid4().hex[:8]}"
        self._server = twin.stack.servers[SERVERS[target]]

    def begin(self) -> None:
        """Kill the server (SIGKILL), with the operations in flight."""
        if self.target == "Restate server":
            # It must have them before it dies. Killed and not frozen: thawed, the service endpoint would do those
            # that it has been sent already, and nothing would be left to recover.
            self.twin.writer.kill()
            self._hand_in()
            self._kill()
            self.twin.writer.start()
        else:
            self._kill()
            self._hand_in()

    def last(self, seconds: float) -> None:
        """Let it last so long, from the kill on: this is how long it is, not a wait for something."""
        self._given_up.wait(max(0.0, self.began_at + seconds - time.monotonic()))

    def end(self) -> Recovery:
        """Start the server again, and return what came of it.

        Raises:
            RecoveryError: not everything was applied in time.
            StackError: the server does not start.

        """
        with ThreadPoolExecutor(1, thread_name_prefix="recovery") as pool:
            lasted = time.monotonic() - self.began_at
            # Watched from the beginning: the start below returns some time after the server listens.
            watched = pool.submit(self._watch)
            try:
                self._server.start()
                seconds = watched.result()
            finally:
                self._given_up.set()
        lost, duplicated = self._count()
        return Recovery(
            target=self.target,
            outage_seconds=round(lasted, 1),
            in_flight=self.operations,
            applied_after_seconds=round(seconds, 3),
            lost=lost,
            duplicated=duplicated,
        )

    def _kill(self) -> None:
        self._server.kill()
        self.began_at = time.monotonic()

    def _hand_in(self) -> None:
        request = Request("POST", "/TodoService/add_todo/send", 202, {"task": f"{self._marker} {{unique}}"})
        ingress = self.twin.stack.ports.ingress_url
        clients = min(HAND_IN_CLIENTS, self.operations)
        taken = put_load(ingress, request, clients=clients, seconds=HAND_IN_SECONDS, stop_after=self.operations)
        if len(taken.milliseconds) != self.operations:
            raise RecoveryError(f"only {len(taken.milliseconds)} of {self.operations} operations were accepted in time")

    def _watch(self) -> float:
        """Return the seconds from when the server listens until every operation is in the database."""
        ports = self.twin.stack.ports
        with contextlib.ExitStack() as closing:
            if self.target == "database":
                # Its port accepts connections while it still recovers, only to refuse them.
                database = closing.enter_context(self._until("takes no statements", self._connect))
                listened_at = time.monotonic()
            else:
                database = closing.enter_context(psycopg.connect(self._database_url, autocommit=True))
                port = ports.restate_service if self.target == "service endpoint" else ports.restate_ingress
                self._until("does not listen", lambda: accepts(port) or None)
                listened_at = time.monotonic()
            self._until("has not led to every operation", lambda: self._all_applied(database) or None)
            return time.monotonic() - listened_at

    @property
    def _database_url(self) -> str:
        return self.twin.stack.database_url(self.twin.name)

    def _connect(self) -> psycopg.Connection | None:
        try:
            return psycopg.connect(self._database_url, autocommit=True, connect_timeout=2)
        except psycopg.OperationalError:
            return None

    def _all_applied(self, database: psycopg.Connection) -> bool:
        query = "SELECT count(DISTINCT task) = %s FROM todo WHERE starts_with(task, %s)"
        row = database.execute(query, (self.operations, self._marker)).fetchone()
        return bool(row and row[0])

    def _count(self) -> tuple[int, int]:
        """Wait until Restate has nothing left to do, and return how many operations were lost, and duplicated."""
        if unfinished := self.twin.settle():
            raise RecoveryError(f"{len(unfinished)} calls are not finished: {unfinished[:3]}")
        tasks = self.twin.tasks(self._marker)
        return self.operations - len(set(tasks)), len(tasks) - len(set(tasks))

    def _until(self, complaint: str, ask: Callable[[], Found | None]) -> Found:
        """Ask until there is an answer, every few milliseconds.

        Raises:
            RecoveryError: there was none in time.

        """
        deadline = time.monotonic() + RECOVERY_SECONDS
        while (found := ask()) is None:
            if time.monotonic() > deadline:
                raise RecoveryError(f"{self.target}: {complaint} {RECOVERY_SECONDS:g} s after it was started")
            if self._given_up.wait(POLL_SECONDS):
                raise StopRequested
        return found


def accepts(port: int) -> bool:
    """Return whether something accepts connections on this port of 127.0.0.1."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        # Where nobody listens, a socket that is given this very port as its own connects to itself.
        return bool(connection.getsockname() != connection.getpeername())
    return False
