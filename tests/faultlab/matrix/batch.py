"""A batch: one fault, done once to operations that are held at several seams, and the verdict on each."""

import contextlib
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

from tests.faultlab.laboratory import Laboratory
from tests.faultlab.matrix.cases import Case
from tests.faultlab.matrix.injector import FaultInjector
from tests.faultlab.matrix.recorder import Recorder
from tests.faultlab.matrix.records import Cell
from tests.faultlab.matrix.rules import RESUBMITS, expected_outcomes
from tests.faultlab.submitted import SubmittedOperation, submit
from tests.support.burst import count_effects
from tests.support.history import judge
from tests.support.running_twin import new_key
from tests.support.waiting import StillMissingError, until

HOLD_SECONDS = 20.0
QUIET_CHECKS = 4
QUIET_SECONDS = 60.0


class TooSlowError(AssertionError):
    """The machine was so slow that a time-out ran out before all were held: this batch would prove nothing."""


def run_batch(lab: Laboratory, cases: Sequence[Case], injector_type: type[FaultInjector] = FaultInjector) -> list[Cell]:
    """Hold every operation at its seam, do the fault, mend it, wait for quiet, count, and judge."""
    (fault,) = {case.fault for case in cases}
    healed = threading.Event()
    operations = [_prepare(lab, case.operation) for case in cases]
    answered = [threading.Event() for _ in cases]
    clients = list(zip(cases, operations, answered, strict=True))
    points = [(case.seam, lab.links[case.seam.link].hold(case.seam.match(one))) for case, one, _ in clients]
    recorder = Recorder(operations)
    injector = injector_type(lab, fault, recorder.record_for_all)
    with contextlib.ExitStack() as recording, ThreadPoolExecutor(len(clients)) as pool:
        recording.callback(lab.log.subscribe(recorder.record))
        try:
            running = [
                pool.submit(submit, lab.twin, one, event, healed if case.client == RESUBMITS else None)
                for case, one, event in clients
            ]
            held = [(seam, point.wait(HOLD_SECONDS)) for seam, point in points]
            count_effects(lab.twin, operations)
            effects_when_held = [operation.effect for operation in operations]
            if any(event.is_set() for event in answered):
                raise TooSlowError(f"{fault.name}: a client had its answer before the fault")
            injector.inject(held)
            for event in answered:
                event.wait(HOLD_SECONDS)
        finally:
            injector.mend()
            _wait_for_quiet(lab)
            healed.set()
        for future in running:
            future.result()
        unfinished = lab.twin.settle()
    count_effects(lab.twin, operations)
    for operation in operations:
        operation.settled = not unfinished
    return [_cell(recorder, *one) for one in zip(cases, operations, effects_when_held, strict=True)]


def _prepare(lab: Laboratory, kind: str) -> SubmittedOperation:
    """Return an operation; the todo that it changes or deletes is made past the application."""
    operation = SubmittedOperation(kind, f"{kind} {uuid4().hex}", new_key())
    if kind != "add":
        before = operation.marker if kind == "delete" else f"before {operation.marker}"
        ((operation.todo_id,),) = lab.twin.rows("INSERT INTO todo (task) VALUES (%s) RETURNING id", before)
    return operation


def _wait_for_quiet(lab: Laboratory) -> None:
    """Wait until what the fault has delayed is over: several looks in a row find no session at work."""
    looks = 0

    def quiet() -> bool:
        nonlocal looks
        before, looks = looks, 0
        if not lab.busy_sessions() and lab.twin.call("GET", f"{lab.twin.url}/healthz").ok:
            looks = before + 1
        return looks == QUIET_CHECKS

    try:
        until(quiet, "a quiet database and web", QUIET_SECONDS)
    except StillMissingError as error:
        raise StillMissingError(f"{error}; sessions at work: {lab.busy_sessions()}") from error


def _cell(recorder: Recorder, case: Case, operation: SubmittedOperation, effect_when_held: int | None) -> Cell:
    # The message was held where the seam says, or the cell has proved nothing.
    if effect_when_held != int(case.seam.applied):
        raise AssertionError(f"{case.id}: {effect_when_held} rows while held, the seam says {case.seam.applied:d}")
    return case.cell(
        judge(operation),
        expected_outcomes=expected_outcomes(case.seam, case.fault),
        answers=recorder.answers(operation),
        effect=operation.effect,
        effect_when_held=effect_when_held,
        events=recorder.events(operation),
    )
