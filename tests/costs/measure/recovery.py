"""Recovery: how long after an outage everything is done that was accepted before and during it."""

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg2

from tests.costs.measure import Advance, Findings, MeasurementError
from tests.costs.measure.load_generator import add_by_message, put_load
from tests.costs.measure.workspace import workspace
from tests.costs.records import Drain, Recovery
from tests.support.database import execute
from tests.support.running_twin import restate_twin
from todo_stack.checks import Check, comes_true, tcp_open
from todo_stack.output import Log
from todo_stack.ports import Ports
from todo_stack.stack import Stack
from todo_stack.twins import RESTATE

SERVERS = [name for name in RESTATE.servers if name != RESTATE.title]
"""Those that are killed: all but the web, which only hands in."""

IN_FLIGHT = 32
IN_FLIGHT_IN_BACKGROUND = 8
"""Fewer: each is tried again all the time, and takes as much of the machine from what is measured meanwhile."""

WAITING = (1000, 3000, 10_000)
WAITING_SECONDS = 5.0
"""How long the backlog waits: its calls are then tried at the longest interval, as they are after any longer outage."""

LONG_SECONDS = 30.0
"""From here on, and the longest ones, outages of the servers last side by side, on a twin for each."""

HAND_IN_CLIENTS = 32
HAND_IN_SECONDS = 120.0
POLL_SECONDS = 0.002
RECOVERY_SECONDS = 120.0
"""How long a server may need to listen again, and then everything to be applied, before it counts as not recovered."""


def measure(
    folder: Path,
    step: Advance,
    outages: Sequence[float] = (1, 10, 60, 300),
    waiting: Sequence[int] = WAITING,
    meanwhile: Iterable[Mapping[str, Any]] = (),
) -> Findings:
    """Measure the recovery from outages of each server that last so many seconds, and the drain of backlogs.

    `meanwhile` is done while the longest of them last, which take nothing from the machine; what it yields is yielded.
    """
    *shorter, longest = sorted(outages)
    with contextlib.ExitStack() as ending:
        background = [_in_background(ending, folder / "longest", longest)]
        yield from meanwhile
        for seconds in shorter:
            if seconds >= LONG_SECONDS:
                background.append(_in_background(ending, folder / f"{seconds:g}", seconds))
        log = ending.enter_context(workspace(folder / "short"))
        stack = _running_twin(ending, folder / "short" / "twin", log)
        recoveries: list[Recovery] = []
        for seconds, server in product(shorter, SERVERS):
            if seconds < LONG_SECONDS:
                recoveries += _finish([Outage(stack, server, IN_FLIGHT, seconds).begin()], step)
        yield {"recoveries": recoveries}
        drains: list[Drain] = []
        for operations in waiting:
            drains.append(_drain(stack, operations))
            yield {"drains": drains}
            step(f"backlog of {operations:,}")
        for begun in reversed(background):
            recoveries += _finish(begun, step)
            yield {"recoveries": recoveries}


def _drain(stack: Stack, operations: int) -> Drain:
    """Measure how long so many operations take that were accepted while the service endpoint was down."""
    backlog = Outage(stack, RESTATE.writer, operations, WAITING_SECONDS).begin().end()
    if backlog.lost or backlog.duplicated:
        raise MeasurementError(f"of {operations} operations {backlog.lost} were lost, {backlog.duplicated} duplicated")
    return Drain(operations=backlog.in_flight, seconds=backlog.applied_after_seconds)


def _in_background(ending: contextlib.ExitStack, folder: Path, seconds: float) -> list["Outage"]:
    """Begin an outage of each server, on a twin of its own, that lasts while other things are measured."""
    log = ending.enter_context(workspace(folder))
    outages = []
    for server in SERVERS:
        stack = _running_twin(ending, folder / server, log)
        outages.append(Outage(stack, server, IN_FLIGHT_IN_BACKGROUND, seconds).begin())
        # It has no part in it any more, and needs memory.
        stack.servers[RESTATE.title].stop()
    return outages


def _running_twin(ending: contextlib.ExitStack, data: Path, log: Log) -> Stack:
    """Run the Restate twin with default settings; its connections are made and its code is loaded."""
    stack = ending.enter_context(Stack([RESTATE], data=data, ports=Ports.free(), log=log))
    restate_twin(stack).add("warm-up")
    return stack


def _finish(outages: Sequence["Outage"], step: Advance) -> Iterator[Recovery]:
    """Wait until they have lasted long enough, and measure one recovery after the other."""
    for outage in outages:
        yield outage.end()
        step(f"{outage.killed}, {outage.seconds:g} s")


@dataclass
class Outage:
    """An outage of one server of a running Restate twin, with operations in flight: accepted, and not applied.

    They are handed in as the web application does when the write budget is over, which is when it tells its client that
    the write will be done: to the ingress, under a key, without waiting for the result.
    """

    stack: Stack
    killed: str
    """The name of the server."""
    operations: int
    seconds: float
    """How long it lasts, at least."""
    _began_at: float = 0.0
    _marker: str = field(default_factory=lambda: f"outage-{uuid4().hex[:8]}")

    def begin(self) -> "Outage":
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
        return self

    def end(self) -> Recovery:
        """Let it last, start the server again, and return what came of it."""
        # This is how long it is, and not a wait for something.
        time.sleep(max(0.0, self._began_at + self.seconds - time.monotonic()))
        server, twin = self.stack.servers[self.killed], restate_twin(self.stack)
        self.stack.spawn(server)
        seconds = self._applied_after_seconds()
        server.wait_ready()
        if unfinished := twin.settle():
            raise MeasurementError(f"{len(unfinished)} calls are not finished: {unfinished[:3]}")
        tasks = twin.tasks(self._marker)
        return Recovery(
            killed=self.killed,
            meant_seconds=round(self.seconds),
            in_flight=self.operations,
            applied_after_seconds=round(seconds, 3),
            lost=self.operations - len(set(tasks)),
            duplicated=len(tasks) - len(set(tasks)),
        )

    def _kill(self) -> None:
        self.stack.servers[self.killed].kill()
        self._began_at = time.monotonic()

    def _hand_in(self) -> None:
        clients, add = min(HAND_IN_CLIENTS, self.operations), add_by_message(self._marker)
        url, most = self.stack.ports.ingress_url, self.operations
        taken = put_load(url, add, clients=clients, seconds=HAND_IN_SECONDS, stop_after=most)
        if len(taken.milliseconds) != self.operations:
            raise MeasurementError(f"only {len(taken.milliseconds)} of {self.operations} operations were accepted")

    def _applied_after_seconds(self) -> float:
        """Return the seconds from when the server listens until every operation is in the database."""
        ports, database_url = self.stack.ports, self.stack.database_url(RESTATE)
        port = {"restate": ports.restate_ingress, RESTATE.writer: ports.restate_service}.get(self.killed)

        def database_answers() -> bool:
            # Its port accepts connections while it still recovers, only to refuse them.
            with contextlib.suppress(psycopg2.OperationalError):
                return bool(execute(database_url, "SELECT 1"))
            return False

        self._at_once("does not listen", tcp_open(port) if port else database_answers)
        listened_at = time.monotonic()
        with contextlib.closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:
            connection.autocommit = True

            def all_applied() -> bool:
                cursor.execute("SELECT count(DISTINCT task) FROM todo WHERE starts_with(task, %s)", [self._marker])
                return cursor.fetchall() == [(self.operations,)]

            self._at_once("has not led to every operation", all_applied)
        return time.monotonic() - listened_at

    def _at_once(self, complaint: str, has_happened: Check) -> None:
        """Return within two milliseconds of when something has happened; raises MeasurementError if it does not."""
        server = self.stack.servers[self.killed]

        def happened() -> bool:
            if not server.running:
                # Starts it once more where that helps, or says why it ended.
                server.wait_ready()
            return has_happened()

        if not comes_true(happened, RECOVERY_SECONDS, poll=POLL_SECONDS):
            raise MeasurementError(f"{self.killed}: {complaint} {RECOVERY_SECONDS:g} s after it was started")
