"""One outage of one server of a running Restate twin, and how long after it everything is done that it kept waiting."""

import contextlib
import socket
import time
from collections.abc import Callable
from typing import TypeVar
from uuid import uuid4

import psycopg2

from tests.costs.measure import MeasurementError
from tests.costs.measure.load_generator import add_by_message, put_load
from tests.costs.records import Recovery
from tests.support.running_twin import restate_twin
from todo_stack.ports import HOST
from todo_stack.stack import Stack
from todo_stack.twins import RESTATE

HAND_IN_CLIENTS = 32
HAND_IN_SECONDS = 60.0
POLL_SECONDS = 0.002
RECOVERY_SECONDS = 60.0
"""How long a server may need to listen again, and then everything to be applied, before it counts as not recovered."""

Found = TypeVar("Found")


class Outage:
    """An outage with operations in flight: accepted by Restate and not applied.

    They are handed in as the web application does when the write budget is over, which is when it tells its client that
    the write will be done: to the ingress, under a key, without waiting for the result.
    """

    def __init__(self, stack: Stack, killed: str, operations: int, seconds: float) -> None:
        """Prepare one of the server with this name, that lasts so many seconds, at least; nothing happens yet."""
        self.stack = stack
        self.killed = killed
        self.operations = operations
        self.seconds = seconds
        self._began_at = 0.0
        self._marker = f"outage-{uuid4().hex[:8]}"
        self._server = stack.servers[killed]
        self._database_url = stack.database_url(RESTATE)

    def begin(self) -> None:
        """Kill the server (SIGKILL), with the operations in flight."""
        if self.killed == "restate":
            # It must have them before it dies. Killed and not frozen: thawed, the service endpoint would do those
            # that it has been sent already, and nothing would be left to recover.
            service = self.stack.servers[RESTATE.writer]
            service.kill()
            self._hand_in()
            self._kill()
            service.start()
        else:
            self._kill()
            self._hand_in()

    def end(self) -> Recovery:
        """Let it last, start the server again, and return what came of it."""
        # This is how long it is, and not a wait for something.
        time.sleep(max(0.0, self._began_at + self.seconds - time.monotonic()))
        lasted = time.monotonic() - self._began_at
        self.stack.spawn(self._server)
        seconds = self._applied_after_seconds()
        self._server.wait_ready()
        lost, duplicated = self._count()
        return Recovery(
            killed=self.killed,
            meant_seconds=round(self.seconds),
            outage_seconds=round(lasted, 1),
            in_flight=self.operations,
            applied_after_seconds=round(seconds, 3),
            lost=lost,
            duplicated=duplicated,
        )

    def _kill(self) -> None:
        self._server.kill()
        self._began_at = time.monotonic()

    def _hand_in(self) -> None:
        taken = put_load(
            self.stack.ports.ingress_url,
            add_by_message(self._marker),
            clients=min(HAND_IN_CLIENTS, self.operations),
            seconds=HAND_IN_SECONDS,
            stop_after=self.operations,
        )
        if len(taken.milliseconds) != self.operations:
            raise MeasurementError(f"only {len(taken.milliseconds)} of {self.operations} operations were accepted")

    def _applied_after_seconds(self) -> float:
        """Return the seconds from when the server listens until every operation is in the database."""
        if self.killed == "db":
            # Its port accepts connections while it still recovers, only to refuse them.
            connection = self._at_once("takes no statements", self._connect)
        else:
            connection = psycopg2.connect(self._database_url)
            ports = self.stack.ports
            port = ports.restate_ingress if self.killed == "restate" else ports.restate_service
            self._at_once("does not listen", lambda: accepts(port))
        listened_at = time.monotonic()
        with contextlib.closing(connection):
            connection.autocommit = True
            self._at_once("has not led to every operation", lambda: self._all_applied(connection))
        return time.monotonic() - listened_at

    def _connect(self) -> "psycopg2.extensions.connection | None":
        with contextlib.suppress(psycopg2.OperationalError):
            return psycopg2.connect(self._database_url, connect_timeout=2)
        return None

    def _all_applied(self, connection: "psycopg2.extensions.connection") -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(DISTINCT task) FROM todo WHERE starts_with(task, %s)", [self._marker])
            return cursor.fetchall() == [(self.operations,)]

    def _count(self) -> tuple[int, int]:
        """Wait until Restate has nothing left to do, and return how many operations were lost, and duplicated."""
        twin = restate_twin(self.stack)
        if unfinished := twin.settle():
            raise MeasurementError(f"{len(unfinished)} calls are not finished: {unfinished[:3]}")
        tasks = twin.tasks(self._marker)
        return self.operations - len(set(tasks)), len(tasks) - len(set(tasks))

    def _at_once(self, complaint: str, ask: Callable[[], Found | None]) -> Found:
        """Return an answer within two milliseconds of when there is one: what waits elsewhere is no clock.

        Raises MeasurementError when there is none in time.
        """
        deadline = time.monotonic() + RECOVERY_SECONDS
        while not (found := ask()):
            if time.monotonic() > deadline:
                raise MeasurementError(f"{self.killed}: {complaint} {RECOVERY_SECONDS:g} s after it was started")
            if not self._server.running:
                # Starts it once more where that helps, or says why it ended.
                self._server.wait_ready()
            time.sleep(POLL_SECONDS)
        return found


def accepts(port: int) -> bool:
    """Return whether something accepts connections on this port of 127.0.0.1."""
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1) as connection:
        # Where nobody listens, a socket that is given this very port as its own connects to itself.
        return bool(connection.getsockname() != connection.getpeername())
    return False
