"""A run of chaos: eight clients at work while things break at random, then quiet, then the count in the database."""

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import requests

from tests.faultlab.chaos.random_faults import ChaosSettings, InjectedFault, RandomFaults
from tests.faultlab.chaos.result import ChaosResult, find_violations, too_few
from tests.faultlab.chaos.workload import Workload, WorkloadClient
from tests.faultlab.laboratory import Laboratory
from tests.faultlab.submitted import SubmittedOperation, ask_for_result
from tests.support.control import operations_of
from tests.support.history import Outcome
from tests.support.truth import count_in_the_end, wait_for_reminders
from tests.support.waiting import StillMissingError, until
from todo_stack.errors import StackError, StopRequested
from todo_stack.output import Log
from todo_stack.twins import Twin

LIVENESS_SECONDS = 30.0
"""How long after the last fault is mended an operation of each kind may need to succeed."""
QUIET_SECONDS = 60.0


def run_chaos(twin: Twin, settings: ChaosSettings, data: Path, log: Log | None = None) -> ChaosResult:
    """Run chaos for one twin, and judge.

    Raises StopRequested if the settings' `stop` was set meanwhile, StackError if a server did not start at first.
    """

    def at_random(lab: Laboratory, workload: Workload, injected: list[InjectedFault]) -> None:
        faults = RandomFaults(lab, settings, injected)
        faults.run(lambda: not too_few(twin, workload.history, settings.seconds))

    return run_under_load(twin, settings, data, at_random, log)


def run_under_load(
    twin: Twin,
    settings: ChaosSettings,
    data: Path,
    break_things: Callable[[Laboratory, Workload, list[InjectedFault]], None],
    log: Log | None = None,
) -> ChaosResult:
    """Let clients work while things are broken and mended, each of which is added to a list, and judge."""
    with Laboratory(twin, data, log, cancelled=settings.stop, with_outside_world=True, size=settings.size) as lab:
        workload = Workload(lab.twin, settings.seed, 2 * settings.seconds)
        injected: list[InjectedFault] = []
        try:
            with workload.running():
                break_things(lab, workload, injected)
            lab.heal()
        except StackError as error:
            return ChaosResult(twin, workload.history, injected, [f"did not come back: {error}"])
        violations = [] if injected else ["no fault was injected: the run was too short to prove anything"]
        violations += _check_liveness(workload.clients[0], settings.stop)
        history = workload.history
        violations += _wait_for_quiet(lab, history, settings.stop)
        count_in_the_end(lab.twin, history)
    violations += find_violations(twin, history, settings.seconds)
    return ChaosResult(twin, history, injected, violations)


def _check_liveness(client: WorkloadClient, stop: threading.Event) -> list[str]:
    """Let an operation of each kind succeed; return what was wrong."""
    deadline = time.monotonic() + LIVENESS_SECONDS
    with requests.Session() as session:

        def succeeds(kind: str) -> bool:
            return client.operate(session, kind, insist=0).outcome is Outcome.OK

        missing = [
            _missing(partial(succeeds, kind), f"{kind} after the last fault", deadline, stop)
            for kind in operations_of(client.twin.which)
        ]
    return [*filter(None, missing)]


def _wait_for_quiet(lab: Laboratory, history: Sequence[SubmittedOperation], stop: threading.Event) -> list[str]:
    """Wait until nothing can change any more, and ask what became of the operations that were promised."""
    deadline = time.monotonic() + QUIET_SECONDS

    def none_pending() -> bool:
        for operation in history:
            if operation.outcome is Outcome.PENDING:
                ask_for_result(lab.twin, operation)
        return all(operation.outcome is not Outcome.PENDING for operation in history)

    def busy() -> list[Any]:
        return lab.twin.unfinished() or lab.busy_sessions()

    _missing(none_pending, "the end of each pending operation", deadline, stop)
    wait_for_reminders(lab.twin, history)
    # What the web has accepted it finishes now, and takes nothing more.
    for web in lab.webs:
        web.stop()
    missing = _missing(lambda: not busy(), "quiet", deadline, stop)
    for operation in history:
        operation.settled = operation.outcome is not Outcome.PENDING and not missing
    return [f"{missing}: {busy()}"] if missing else []


def _missing(condition: Callable[[], bool], what: str, deadline: float, stop: threading.Event) -> str:
    """Wait for the condition until this moment of the monotonic clock; return what is then still missing."""

    def unless_stopped() -> bool:
        if stop.is_set():
            raise StopRequested
        return condition()

    try:
        until(unless_stopped, what, max(deadline - time.monotonic(), 0))
    except StillMissingError as error:
        return str(error)
    return ""
