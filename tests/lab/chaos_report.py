"""The end of a run of chaos, as tables."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from rich.console import Console
from rich.table import Table

from tests.lab.chaos_result import Result
from tests.lab.history import Outcome
from tests.lab.words import TITLES, WORDS, Count
from tests.lab.workload import KINDS

Key = TypeVar("Key")
_OUTCOMES = {
    Outcome.OK: "told in the end: it worked",
    Outcome.FAIL: "told in the end: it failed",
    Outcome.PENDING: "told in the end: it will happen",
    Outcome.UNKNOWN: "told nothing",
}


def print_results(console: Console, results: Sequence[Result]) -> None:
    """Print what became of the operations, which there were, and what was broken."""
    verdicts = _table("verdict", results)
    for verdict, word in WORDS.items():
        counts = [Count(result.verdicts[verdict], result.verdicts.total()) for result in results]
        style = word.style if any(count.number for count in counts) else "dim"
        verdicts.add_row(f"{word.symbol} {verdict.value}", *map(str, counts), style=style)
    verdicts.add_row("all", *(str(result.verdicts.total()) for result in results), style="bold")

    operations = _table("operations", results)
    _add_rows(operations, {kind: kind for kind in KINDS}, [Counter(o.kind for o in r.operations) for r in results])
    _add_rows(operations, _OUTCOMES, [Counter(o.outcome for o in r.operations) for r in results])
    promised = (sum(any(map(_is_promise, o.answers)) for o in r.operations) for r in results)
    operations.add_row("told at first: it will happen", *map(str, promised))
    repeated = (sum(len(o.answers) > 1 for o in r.operations) for r in results)
    operations.add_row("submitted more than once", *map(str, repeated))

    faults = _table("faults", results)
    injected = [Counter(f"{fault.kind}: {fault.target}" for fault in result.faults) for result in results]
    _add_rows(faults, {name: name for name in sorted(set().union(*injected))}, injected)
    faults.add_row("all", *(str(by_twin.total()) for by_twin in injected), style="bold")
    for table in (verdicts, operations, faults):
        console.print(table)


def _is_promise(answer: str) -> bool:
    return answer.startswith(Outcome.PENDING.value)


def _add_rows(table: Table, names: Mapping[Key, str], counts: Sequence[Counter[Key]]) -> None:
    """Add a row for each name, with what was counted in each twin."""
    for key, name in names.items():
        table.add_row(name, *(str(by_twin[key]) for by_twin in counts))


def _table(title: str, results: Iterable[Result]) -> Table:
    table = Table(title, min_width=40)
    for result in results:
        table.add_column(TITLES[result.twin], justify="right")
    return table
