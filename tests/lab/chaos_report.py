"""The end of a run of chaos, as tables."""

from collections import Counter
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from tests.lab.chaos_result import Result
from tests.lab.history import Outcome, Verdict
from tests.lab.workload import KINDS, Submitted

NEVER = {Verdict.LOST, Verdict.DUPLICATED, Verdict.STUCK}


def show(console: Console, results: Sequence[Result]) -> None:
    """Print what became of the operations, which there were, and what was broken."""
    verdicts = _table("verdict", results)
    for verdict in Verdict:
        counts = [result.verdicts[verdict] for result in results]
        style = "red" if verdict in NEVER and any(counts) else ""
        verdicts.add_row(verdict.value, *map(str, counts), style=style)
    verdicts.add_row("in all", *(str(result.verdicts.total()) for result in results), style="bold")
    operations = _table("operations", results)
    for kind in KINDS:
        operations.add_row(kind, *(str(sum(o.kind == kind for o in r.operations)) for r in results))
    for outcome in Outcome:
        told = (str(sum(o.outcome is outcome for o in r.operations)) for r in results)
        operations.add_row(f"told {outcome.value} in the end", *told)
    promised = (str(sum(_was_promised(o) for o in r.operations)) for r in results)
    operations.add_row("of these promised at first", *promised)
    again = (str(sum(len(o.answers) > 1 for o in r.operations)) for r in results)
    operations.add_row("submitted more than once", *again)
    faults = _table("faults", results)
    injected = [Counter(f"{fault.kind}: {fault.target}" for fault in result.faults) for result in results]
    for fault in sorted(set().union(*injected)):
        faults.add_row(fault, *(str(by_twin[fault] or "") for by_twin in injected))
    faults.add_row("in all", *(str(by_twin.total()) for by_twin in injected), style="bold")
    for table in (verdicts, operations, faults):
        console.print(table)


def _was_promised(operation: Submitted) -> bool:
    return any(answer.startswith(Outcome.PENDING.value) for answer in operation.answers)


def _table(title: str, results: Iterable[Result]) -> Table:
    table = Table(title, min_width=40)
    for result in results:
        table.add_column(result.twin, justify="right")
    return table
