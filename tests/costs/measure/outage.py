"""One outage of one server of a running Restate twin, and how long after it everything is done that it kept waiting."""

import contextlib
import time
from uuid import uuid4

import psycopg2

from tests.costs.measure import MeasurementError
from tests.costs.measure.load_generator import add_by_message, put_load
from tests.costs.records import Recovery
from tests.support.database import execute
from tests.support.running_twin import restate_twin
from todo_stack.checks import Check, tcp_open
from todo_stack.stack import Stack
from todo_stack.twins import RESTATE

HAND_IN_CLIENTS = 32
HAND_IN_SECONDS = 60.0
POLL_SECONDS = 0.002
RECOVERY_SECONDS = 60.0
"""How long a server may need to listen again, and then everything to be applied, before it counts as not recovered."""


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
        twin = restate_twin(self.stack)
        if unfinished := twin.settle():
            raise MeasurementError(f"{len(unfinished)} calls are not finished: {unfinished[:3]}")
        tasks = twin.tasks(self._marker)
        return Recovery(
            killed=self.killed,
            meant_seconds=round(self.seconds),
            outage_seconds=round(lasted, 1),
            in_flight=self.operations,
            applied_after_seconds=round(seconds, 3),
            lost=self.operations - len(set(tasks)),
            duplicated=len(tasks) - len(set(tasks)),
        )

    def _kill(self) -> None:
        self._server.kill()
        self._began_at = time.monotonic()

    def _hand_in(self) -> None:
        clients, add = min(HAND_IN_CLIENTS, self.operations), add_by_message(self._marker)
        url, most = self.stack.ports.ingress_url, self.operations
        taken = put_load(url, add, clients=clients, seconds=HAND_IN_SECONDS, stop_after=most)
        if len(taken.milliseconds) != self.operations:
            raise MeasurementError(f"only {len(taken.milliseconds)} of {self.operations} operations were accepted")

    def _applied_after_seconds(self) -> float:
        """Return the seconds from when the server listens until every operation is in the database."""
        ports = self.stack.ports
        port = {"restate": ports.restate_ingress, RESTATE.writer: ports.restate_service}.get(self.killed)
        self._at_once("does not listen", tcp_open(port) if port else self._database_answers)
        listened_at = time.monotonic()
        with contextlib.closing(psycopg2.connect(self._database_url)) as connection, connection.cursor() as cursor:
            connection.autocommit = True

            def all_applied() -> bool:
                cursor.execute("SELECT count(DISTINCT task) FROM todo WHERE starts_with(task, %s)", [self._marker])
                return cursor.fetchall() == [(self.operations,)]

            self._at_once("has not led to every operation", all_applied)
        return time.monotonic() - listened_at

    def _database_answers(self) -> bool:
        # Its port accepts connections while it still recovers, only to refuse them.
        with contextlib.suppress(psycopg2.OperationalError):
            return bool(execute(self._database_url, "SELECT 1"))
        return False

    def _at_once(self, complaint: str, has_happened: Check) -> None:
        """Return within two milliseconds of when something has happened: what waits elsewhere is no clock.

        Raises MeasurementError when it has not in time.
        """
        deadline = time.monotonic() + RECOVERY_SECONDS
        while not has_happened():
            if time.monotonic() > deadline:
                raise MeasurementError(f"{self.killed}: {complaint} {RECOVERY_SECONDS:g} s after it was started")
            if not self._server.running:
                # Starts it once more where that helps, or says why it ended.
                self._server.wait_ready()
            time.sleep(POLL_SECONDS)
