"""The end of a run of chaos, as a table."""

from collections import Counter
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from tests.faultlab.chaos_result import Result
from tests.faultlab.words import TITLES, WORDS, Count
from tests.faultlab.workload import KINDS
from tests.support.history import Outcome

_OUTCOMES = {
    Outcome.OK: "told in the end: it worked",
    Outcome.FAIL: "told in the end: it failed",
    Outcome.PENDING: "told in the end: it will happen",
    Outcome.UNKNOWN: "told nothing",
}


def print_results(console: Console, results: Sequence[Result]) -> None:
    """Print what became of the operations, which there were, and what was broken."""
    table = Table("")
    for result in results:
        table.add_column(TITLES[result.twin], justify="right")

    def add(name: str, values: Iterable[object], style: str = "") -> None:
        table.add_row(name, *map(str, values), style=style)

    for verdict, word in WORDS.items():
        counts = [Count(result.verdicts[verdict], result.verdicts.total()) for result in results]
        add(f"{word.symbol} {verdict.value}", counts, word.style if any(count.number for count in counts) else "dim")
    add("all operations", (result.verdicts.total() for result in results), "bold")
    table.add_section()
    for kind in KINDS:
        add(kind, (sum(o.kind == kind for o in result.operations) for result in results))
    for outcome, name in _OUTCOMES.items():
        add(name, (sum(o.outcome is outcome for o in result.operations) for result in results))
    add(
        "told at first: it will happen",
        (sum(any(map(_is_promise, o.answers)) for o in result.operations) for result in results),
    )
    add("submitted more than once", (sum(len(o.answers) > 1 for o in result.operations) for result in results))
    table.add_section()
    injected = [Counter(f"{fault.kind}: {fault.target}" for fault in result.faults) for result in results]
    for name in sorted(set().union(*injected)):
        add(name, (by_twin[name] for by_twin in injected))
    add("all faults", (by_twin.total() for by_twin in injected), "bold")
    console.print(table)


def _is_promise(answer: str) -> bool:
    return answer.startswith(Outcome.PENDING.value)
