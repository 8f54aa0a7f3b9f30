"""Plays a story in one twin, or lets chaos rage in it."""

import contextlib
import threading
from collections.abc import Sequence
from typing import Any

from tests.faultlab.chaos.random_faults import ChaosSettings, RandomFaults
from tests.faultlab.live.side import Side
from tests.faultlab.live.stories import Story
from tests.faultlab.matrix.batch import TooSlowError, run_batch
from tests.faultlab.matrix.cases import Case
from tests.faultlab.matrix.injector import FaultInjector, HeldMessages
from tests.faultlab.submitted import SubmittedOperation
from tests.support.history import Verdict, judge
from todo_stack.errors import StopRequested

COUNTED_SECONDS = 20.0
"""How long the count may take to see what an operation has come to."""
FAULT_SECONDS = 3.0
TRIES = 3
"""How often a story is begun: on a busy machine a message may be held for too long to prove anything."""


def play(side: Side, story: Story, told: dict[str, Any], look_seconds: float, stop: threading.Event) -> None:
    """Play a story, saying in `told` how far it is; it is counted once the count of the page says the same.

    `look_seconds` is how long what is held is shown. Raises one of TROUBLE, or StopRequested.
    """
    case = story.case(side.lab.which)
    for last in (False,) * (TRIES - 1) + (True,):
        with contextlib.suppress(*() if last else (TooSlowError,)):
            if case:
                operation, verdict = _break(side, case, told, look_seconds, stop)
            else:
                operation, verdict = side.operate(story.operation, again=False), None
                told["key"] = operation.key
            side.wait_for(operation, verdict, COUNTED_SECONDS)
            told |= {"phase": "counted", "verdict": judge(operation).value}
            return
        side.forget()
        told["phase"] = "begins"


def _break(
    side: Side, case: Case, told: dict[str, Any], look_seconds: float, stop: threading.Event
) -> tuple[SubmittedOperation, Verdict]:
    """Return the operation that was broken so, and what it has come to."""
    taken: list[SubmittedOperation] = []

    def begun(operations: Sequence[SubmittedOperation]) -> None:
        taken.extend(operations)
        side.take(operations[0])
        told["key"] = operations[0].key

    class ToldInjector(FaultInjector):
        """Says what it does, and lets people look before it does it."""

        def inject(self, held: HeldMessages) -> None:
            told["phase"] = "held"
            if stop.wait(look_seconds):
                raise StopRequested
            super().inject(held)
            told["phase"] = "broken"

        def mend(self) -> None:
            super().mend()
            told["phase"] = "healed"

    (cell,) = run_batch(side.lab, [case], ToldInjector, begun, side.note)
    return taken[0], cell.verdict


def rage(side: Side, seconds: float, seed: int, stop: threading.Event) -> None:
    """Break something at random, mend it, and go on so, each with its line in the history of whom it meets."""
    settings = ChaosSettings(
        *(seed, seconds, FAULT_SECONDS, FAULT_SECONDS),
        report=lambda fault: side.note("fault", str(fault), ""),
        report_end=lambda fault: side.note("heal", f"{fault} has ended", ""),
        stop=stop,
    )
    try:
        RandomFaults(side.lab, settings).run()
    finally:
        if not stop.is_set():
            side.heal()
