"""A batch: one fault, done once to operations that are held at several seams, and the verdict on each."""

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.faultlab.laboratory import CLIENT, Laboratory
from tests.faultlab.matrix.cases import Case
from tests.faultlab.matrix.faults import SHORT_STALL_SECONDS, FaultKind
from tests.faultlab.matrix.injector import FaultInjector
from tests.faultlab.matrix.recorder import Recorder
from tests.faultlab.matrix.recording import new_operation
from tests.faultlab.matrix.records import Cell
from tests.faultlab.matrix.rules import RESUBMITS, expected_outcomes
from tests.faultlab.submitted import SubmittedOperation, submit
from tests.support.history import Truth, judge
from tests.support.truth import count_effects, count_in_the_end, seconds_late, wait_for_reminders
from tests.support.waiting import StillMissingError, until

PREPARED_TOGETHER = 4
HOLD_SECONDS = 20.0
LONGEST_HOLD_SECONDS = 1.8
"""Shorter than every time-out; of what is then held for longer, without that."""
QUIET_CHECKS = 4
QUIET_SECONDS = 60.0


class TooSlowError(AssertionError):
    """The machine was so slow that a time-out ran out before all were held: this batch would prove nothing."""


def run_batch(
    lab: Laboratory,
    cases: Sequence[Case],
    injector_type: type[FaultInjector] = FaultInjector,
    begun: Callable[[Sequence[SubmittedOperation]], None] = lambda _operations: None,
    note: Callable[[str, str, str], None] = lambda *_what: None,
) -> list[Cell]:
    """Hold every operation at its seam, do the fault, mend it, wait for quiet, count, and judge.

    `begun` is called with the operations before they begin, and `note` with each fault and its end.
    """
    (fault,) = {case.fault for case in cases}
    healed = threading.Event()
    with ThreadPoolExecutor(PREPARED_TOGETHER) as pool:
        operations = list(pool.map(lambda case: new_operation(lab, case.seam.operation), cases))
    answered = [threading.Event() for _ in cases]
    clients = list(zip(cases, operations, answered, strict=True))
    recorder = Recorder(operations)
    points = [
        (case.seam, lab.links[case.seam.link].hold(case.seam.match(recorder.traces, one))) for case, one, _ in clients
    ]

    def record(kind: str, label: str, process: str) -> None:
        recorder.record_for_all(kind, label, process)
        note(kind, label, process)

    begun(operations)
    injector = injector_type(lab, fault, record)
    with contextlib.ExitStack() as recording, ThreadPoolExecutor(len(clients)) as pool:
        recording.callback(lab.log.subscribe(recorder.record))
        try:
            running = [
                pool.submit(submit, lab.twin, one, event, healed if case.client == RESUBMITS else None)
                for case, one, event in clients
            ]
            held = [(seam, point.wait(HOLD_SECONDS)) for seam, point in points]
            count_effects(lab.twin, operations)
            truths_when_held = [operation.truth for operation in operations]
            if any(event.is_set() and not case.seam.background for case, _, event in clients):
                raise TooSlowError(f"{fault.name}: a client had its answer before the fault")
            longest = LONGEST_HOLD_SECONDS - (SHORT_STALL_SECONDS if fault.kind is FaultKind.STALL else 0)
            if time.monotonic() - min(message.since for _, message in held) > longest:
                raise TooSlowError(f"{fault.name}: the first has waited so long that it may be given up")
            injector.inject(held)
            for event in answered:
                event.wait(HOLD_SECONDS)
        finally:
            try:
                injector.mend()
                _wait_for_quiet(lab)
            finally:
                # Or a client that asks again would wait for it.
                healed.set()
        for future in running:
            future.result()
        unfinished = lab.twin.settle()
        wait_for_reminders(lab.twin, operations)
    for operation in operations:
        operation.settled = not unfinished
    count_in_the_end(lab.twin, operations)
    late = [seconds_late(lab.twin, operation) for operation in operations]
    cells = [_cell(recorder, *one) for one in zip(cases, operations, truths_when_held, late, strict=True)]
    if slow := [cell.id for cell in cells if cell.too_slow]:
        raise TooSlowError(f"{fault.name}: a client gave up before the twin could answer: {', '.join(slow)}")
    return cells


def _wait_for_quiet(lab: Laboratory) -> None:
    """Wait until what the fault has delayed is over: several looks in a row find nothing at work."""
    looks, last = 0, None

    def quiet() -> bool:
        nonlocal looks, last
        before, asked, looks, last = looks, last, 0, lab.last_asked()
        at_work = lab.busy_sessions() or lab.links[CLIENT].open_connections
        if not at_work and asked == last and lab.twin.call("GET", f"{lab.twin.url}/healthz").ok:
            looks = before + 1
        return looks == QUIET_CHECKS

    try:
        until(quiet, "a quiet database and web", QUIET_SECONDS)
    except StillMissingError as error:
        clients = lab.links[CLIENT].open_connections
        raise StillMissingError(f"{error}; {clients} clients, sessions at work: {lab.busy_sessions()}") from error


def _cell(
    recorder: Recorder, case: Case, operation: SubmittedOperation, when_held: Truth | None, late: float | None
) -> Cell:
    # The message was held where the seam says, or the cell has proved nothing.
    assert when_held
    assert operation.truth
    if when_held != case.seam.truth and not case.seam.racing:
        raise AssertionError(f"{case.id}: {when_held} while held, the seam says {case.seam.truth}")
    return case.cell(
        judge(operation),
        expected_outcomes=expected_outcomes(case.seam, case.fault),
        answers=recorder.answers(operation),
        effect=operation.truth.times,
        effect_when_held=when_held.times,
        half=operation.truth.half,
        half_when_held=when_held.half,
        late=late,
        events=recorder.events(operation),
    )
