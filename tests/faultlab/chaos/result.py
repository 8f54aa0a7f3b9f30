"""The result of a run of chaos: which parts of it must not be, and how it is written and printed."""

import itertools
import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python
from rich.console import Console
from rich.table import Table

from tests.faultlab.chaos.random_faults import InjectedFault
from tests.faultlab.chaos.workload import UNDOES
from tests.faultlab.legend import LEGEND, Share
from tests.faultlab.submitted import SubmittedOperation
from tests.support.control import LEDGER_ONLY, operations_of
from tests.support.history import NothingProvedError, Outcome, Verdict, count, judge
from tests.support.truth import OPERATIONS, REMINDS
from todo_stack.twins import Twin

FORETOLD = {
    ("pay", Verdict.STUCK),
    ("refund", Verdict.HALF_DONE),
    ("tell", Verdict.HALF_DONE),
    ("plan", Verdict.STUCK),
    ("plan", Verdict.HALF_DONE),
    ("cancel", Verdict.STUCK),
    ("delete met", Verdict.STUCK),
    ("delete met", Verdict.HALF_DONE),
}
"""What the plain twin leaves behind when it dies in the middle, by the rules of the matrix."""
MINIMUM_OK_PER_SECOND = 1.0
"""A run in which fewer operations than this succeed for each second proves nothing; without faults it is dozens."""

_OUTCOMES = {
    Outcome.OK: "told in the end: it worked",
    Outcome.FAIL: "told in the end: it failed",
    Outcome.PENDING: "told in the end: it will happen",
    Outcome.UNKNOWN: "told nothing",
}


@dataclass
class ChaosResult:
    """The result of a run of one twin."""

    twin: Twin
    operations: list[SubmittedOperation]
    faults: list[InjectedFault]
    violations: list[str]
    """What must not be, in sentences."""

    @property
    def verdicts(self) -> Counter[Verdict]:
        """How many operations have each verdict, of those whose effects were counted."""
        return Counter(judge(operation) for operation in self.operations if operation.truth is not None)

    def longest_gaps(self) -> dict[str, float]:
        """Return for each fault how many seconds passed at most between two successes, of which it was a part.

        Before the first and after the last one, the run's own beginning and end count.
        """
        successes = [one.completed_at or 0 for one in self.operations if one.outcome is Outcome.OK]
        run = [moment for one in self.operations for moment in (one.invoked_at, one.completed_at) if moment is not None]
        moments = sorted([*successes, min(run, default=0), max(run, default=0)])
        gaps: dict[str, float] = {}
        for fault in self.faults:
            around = [
                after - before
                for before, after in itertools.pairwise(moments)
                if before < (fault.ended_at or math.inf) and fault.began_at < after
            ]
            gaps[str(fault)] = max([*around, gaps.get(str(fault), 0.0)])
        return gaps

    def write(self, file: Path) -> None:
        """Write the history, operations and faults, as one JSON object a line in the order of their beginnings."""
        history: list[tuple[float, dict[str, Any]]] = [
            (fault.began_at, {"what": "fault", **to_jsonable_python(fault)}) for fault in self.faults
        ]
        for operation in self.operations:
            verdict = None if operation.truth is None else judge(operation).value
            record = {"what": "operation", **to_jsonable_python(operation), "verdict": verdict}
            history.append((operation.invoked_at, record))
        with file.open("w") as lines:
            for _, record in sorted(history, key=itemgetter(0)):
                print(json.dumps(record), file=lines)


def find_violations(twin: Twin, history: list[SubmittedOperation], seconds: float) -> list[str]:
    """Return what must not be, in sentences."""
    violations = []
    for verdict in (Verdict.DUPLICATED, Verdict.STUCK, Verdict.HALF_DONE, Verdict.LOST):
        found = [one for one in history if judge(one) is verdict and not _foretold(twin, one, verdict)]
        violations += [f"{verdict.value}: {o.kind} {o.marker}, told {', '.join(map(str, o.answers))}" for o in found]
    for kind in operations_of(twin):
        try:
            # Whatever has undone one proves that it had succeeded, and answers for a meeting in its place.
            of_kind = [one for one in history if kind in (one.kind, UNDOES.get(one.kind))]
            count(of_kind, minimum_ok=_fewest_ok(twin, seconds))
        except NothingProvedError as error:
            violations.append(f"{kind}: {error}")
    return violations


def too_few(twin: Twin, history: Sequence[SubmittedOperation], seconds: float) -> list[str]:
    """Return the kinds of operations that have not yet succeeded often enough for a run of so many seconds."""
    kinds = [operation.kind for operation in history if operation.outcome is Outcome.OK]
    succeeded = Counter([*kinds, *map(UNDOES.get, kinds)])
    return [kind for kind in operations_of(twin) if succeeded[kind] < _fewest_ok(twin, seconds)]


def _fewest_ok(twin: Twin, seconds: float) -> int:
    return int(seconds * MINIMUM_OK_PER_SECOND / len(operations_of(twin)))


def _foretold(twin: Twin, operation: SubmittedOperation, verdict: Verdict) -> bool:
    """Return whether this may be, by the rules of the matrix."""
    if twin.durable:
        return False
    if twin == LEDGER_ONLY:
        # Whoever is answered has it once; a client that gave up has nobody who goes on with the second step.
        return operation.outcome is not Outcome.OK and (operation.kind, verdict) == ("pay", Verdict.STUCK)
    if verdict is Verdict.DUPLICATED and operation.truth:
        # It cannot know a repeated add from a new one, nor a reminder that is set again when the first was mailed; but
        # what was submitted once must not be there twice.
        return operation.kind in ("add", *REMINDS) and operation.truth.times <= len(operation.answers)
    # Whoever is told that it worked has all of it, but that nobody asks whether the watcher heard of a completion.
    told_truly = operation.outcome is not Outcome.OK or operation.kind == "tell"
    return told_truly and (operation.kind, verdict) in FORETOLD


def print_results(console: Console, results: Sequence[ChaosResult]) -> None:
    """Print what became of the operations, which there were, what was broken, and what must not be."""
    table = Table("")
    for result in results:
        table.add_column(result.twin.title, justify="right")

    def add(name: str, values: Iterable[object], style: str = "") -> None:
        table.add_row(name, *map(str, values), style=style)

    verdicts = [result.verdicts for result in results]
    for verdict, entry in LEGEND.items():
        shares = [Share(of_twin[verdict], of_twin.total()) for of_twin in verdicts]
        style = entry.style if any(share.number for share in shares) else "dim"
        add(f"{entry.symbol} {verdict.value}", shares, style)
    add("all operations", (of_twin.total() for of_twin in verdicts), "bold")
    table.add_section()
    for kind in OPERATIONS:
        add(kind, (sum(o.kind == kind for o in result.operations) for result in results))
    for outcome, name in _OUTCOMES.items():
        add(name, (sum(o.outcome is outcome for o in result.operations) for result in results))
    add("told at first: it will happen", (sum(map(_began_with_promise, result.operations)) for result in results))
    add("submitted more than once", (sum(map(_was_resubmitted, result.operations)) for result in results))
    table.add_section()
    injected = [Counter(map(str, result.faults)) for result in results]
    gaps = [result.longest_gaps() for result in results]
    for name in sorted(set().union(*injected)):
        add(name, (f"{n[name]}, {gap[name]:.1f} s" if n[name] else "-" for n, gap in zip(injected, gaps, strict=True)))
    add(
        "all faults, longest time without a success",
        (f"{n.total()}, {max(gap.values(), default=0):.1f} s" for n, gap in zip(injected, gaps, strict=True)),
        "bold",
    )
    console.print(table)
    for result in results:
        for violation in result.violations:
            console.print(f"{result.twin}: {violation}", style="bold red", markup=False)


def _began_with_promise(operation: SubmittedOperation) -> bool:
    return any(answer.outcome is Outcome.PENDING for answer in operation.answers[:1])


def _was_resubmitted(operation: SubmittedOperation) -> bool:
    # What follows a promise was asked for, not submitted.
    return len(operation.answers) > 1 and not _began_with_promise(operation)
