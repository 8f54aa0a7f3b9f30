"""The end of a run of chaos, as a table."""

from collections import Counter
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from tests.faultlab.chaos.result import ChaosResult
from tests.faultlab.legend import LEGEND, Share
from tests.faultlab.submitted import OPERATIONS, SubmittedOperation
from tests.support.history import Outcome

_OUTCOMES = {
    Outcome.OK: "told in the end: it worked",
    Outcome.FAIL: "told in the end: it failed",
    Outcome.PENDING: "told in the end: it will happen",
    Outcome.UNKNOWN: "told nothing",
}


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
    for name in sorted(set().union(*injected)):
        add(name, (by_twin[name] for by_twin in injected))
    add("all faults", (by_twin.total() for by_twin in injected), "bold")
    console.print(table)
    for result in results:
        for violation in result.violations:
            console.print(f"{result.twin}: {violation}", style="bold red", markup=False)


def _began_with_promise(operation: SubmittedOperation) -> bool:
    return any(answer.outcome is Outcome.PENDING for answer in operation.answers[:1])


def _was_resubmitted(operation: SubmittedOperation) -> bool:
    # What follows a promise was asked for, not submitted.
    return len(operation.answers) > 1 and not _began_with_promise(operation)
