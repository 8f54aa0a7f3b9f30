"""A batch: one fault, done once to operations that are held at several seams, and what each of them came to."""

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from uuid import uuid4

import tenacity

from tests.faultlab.laboratory import Laboratory
from tests.faultlab.matrix.clients import Client
from tests.faultlab.matrix.faults import Breaker, Fault
from tests.faultlab.matrix.recorder import Recorder
from tests.faultlab.matrix.records import Cell, Told
from tests.faultlab.matrix.rules import CLIENTS, expected, foretold
from tests.faultlab.matrix.seams import OPERATIONS, Seam, Target
from tests.faultlab.wire import Breakpoint, Held
from tests.support.history import judge

HOLD_SECONDS = 20.0
QUIET_CHECKS = 4


class TooSlowError(AssertionError):
    """The machine was so slow that a time-out ran out before all were held: this batch would prove nothing."""


@dataclass(frozen=True)
class Case:
    """One cell to be tried."""

    seam: Seam
    fault: Fault
    operation: str
    client: str

    @property
    def id(self) -> str:
        """Its name: twin/operation/seam/fault/client."""
        return f"{self.seam.twin}/{self.operation}/{self.seam.name}/{self.fault.name}/{self.client}"


def cases(seams: Iterable[Seam], faults: Iterable[Fault]) -> list[Case]:
    """Return all cells that make sense, those of one fault together."""
    seams = list(seams)
    return [
        Case(seam, fault, operation, client)
        for fault in faults
        for seam in seams
        if not fault.impossible(seam)
        for operation in OPERATIONS
        for client in CLIENTS
    ]


class Batch:
    """Cells of one twin and one fault that are tried together."""

    def __init__(self, lab: Laboratory, cases: list[Case], breaker: type[Breaker] = Breaker) -> None:
        (self._fault,) = {case.fault for case in cases}
        self._lab = lab
        self._cases = cases
        self._breaker = breaker
        self._over = threading.Event()

    def run(self) -> list[Cell]:
        """Hold every operation at its seam, do the fault, mend it, wait for quiet, count, and judge.

        Raises:
            TooSlowError: not all were held in time; try fewer of them.
            TimeoutError: an operation did not come to its seam.
            AssertionError: an operation was not where its seam says.

        """
        targets = self._targets()
        clients = [
            Client(self._lab.twin, target, case.client, self._over)
            for case, target in zip(self._cases, targets, strict=True)
        ]
        points = [self._hold(case.seam, target) for case, target in zip(self._cases, targets, strict=True)]
        with Recorder(self._lab.log, targets) as recorder, ThreadPoolExecutor(len(clients)) as pool:
            breaker = self._breaker(self._lab, self._fault, recorder.note)
            try:
                running = [pool.submit(client.run) for client in clients]
                held = [(case.seam, self._wait(point)) for case, point in zip(self._cases, points, strict=True)]
                there = self._effects(targets)
                if any(client.answered.is_set() for client in clients):
                    raise TooSlowError(f"{self._fault.name}: a client had its answer before the fault")
                breaker.strike(held)
                for client in clients:
                    client.answered.wait(HOLD_SECONDS)
            finally:
                breaker.mend()
                self._quiet()
                self._over.set()
            for future in running:
                future.result()
            unfinished = self._lab.twin.settle()
        effects = self._effects(targets)
        for client in clients:
            client.operation.effect = effects[client.target.key]
            client.operation.settled = not unfinished
        return [
            self._cell(case, client, recorder, there[client.target.key])
            for case, client in zip(self._cases, clients, strict=True)
        ]

    def _targets(self) -> list[Target]:
        """Make what the operations work on, past the application."""
        targets = []
        for case in self._cases:
            key, text, todo_id = str(uuid4()), f"{case.operation} {uuid4().hex}", 0
            if case.operation != "add":
                ((todo_id,),) = self._lab.twin.rows(
                    "INSERT INTO todo (task) VALUES (%s) RETURNING id",
                    text if case.operation == "delete" else f"before {text}",
                )
            targets.append(Target(case.operation, key, text, todo_id))
        return targets

    def _hold(self, seam: Seam, target: Target) -> Breakpoint:
        return self._lab.links[seam.link].hold(seam.match(target))

    def _wait(self, point: Breakpoint) -> Held:
        return point.wait(HOLD_SECONDS)

    def _effects(self, targets: list[Target]) -> dict[str, int]:
        """Return how many times each operation's effect is in the database."""
        tasks = [task for (task,) in self._lab.twin.rows("SELECT task FROM todo")]
        return {
            target.key: int(target.text not in tasks) if target.operation == "delete" else tasks.count(target.text)
            for target in targets
        }

    def _quiet(self) -> None:
        """Wait until what the fault has delayed is over: several looks in a row find nobody at work."""
        calm = 0

        def look() -> int:
            nonlocal calm
            ((busy,),) = self._lab.twin.rows(
                "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
                " AND state <> 'idle' AND pid <> pg_backend_pid()"
            )
            answers = self._lab.twin.call("GET", f"{self._lab.twin.url}/healthz").ok
            calm = calm + 1 if answers and not busy else 0
            return calm

        waiting: tenacity.Retrying = tenacity.Retrying(
            retry=tenacity.retry_if_result(lambda count: count < QUIET_CHECKS),
            stop=tenacity.stop_after_delay(60),
            wait=tenacity.wait_fixed(0.06),
        )
        waiting(look)

    def _cell(self, case: Case, client: Client, recorder: Recorder, rows_when_held: int) -> Cell:
        verdict_foretold, because = expected(case.seam, case.fault, case.operation, case.client)
        verdict = judge(client.operation)
        # The message was held where the seam says, or the cell has proved nothing.
        if rows_when_held != int(case.seam.applied):
            raise AssertionError(f"{case.id}: {rows_when_held} rows while held, the seam says {int(case.seam.applied)}")
        return Cell.model_validate(
            {
                "twin": case.seam.twin,
                "operation": case.operation,
                "seam": case.seam.name,
                "fault": case.fault.name,
                "client": case.client,
                "expected": verdict_foretold,
                "foretold": foretold(case.seam, case.fault),
                "verdict": verdict,
                "because": because,
                "told": [Told(at=recorder.milliseconds(at), outcome=o, detail=d) for at, o, d in client.told],
                "effect": client.operation.effect,
                "rows_when_held": rows_when_held,
                "events": recorder.events(client.target),
            }
        )
