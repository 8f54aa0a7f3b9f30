"""What a run has found, in the terminal: complete in 80 columns."""

from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from tests.faultlab.legend import LEGEND
from tests.faultlab.matrix.faults import FAULTS
from tests.faultlab.matrix.records import MatrixRun
from tests.faultlab.matrix.rules import CLIENTS
from tests.support.history import Verdict
from tests.support.page import counted
from tests.support.truth import OPERATIONS

from .findings import findings, lateness

_FAULTS = [fault.name for fault in FAULTS]


def print_run(run: MatrixRun, console: Console) -> None:
    """Print the legend, the verdicts per twin and per fault, and each unexpected cell with what runs it again."""
    for table in (_legend(), _verdicts(run), _parts(run, "operation", OPERATIONS), _parts(run, "fault", _FAULTS)):
        console.print(table)
    titles, rows = lateness(run)
    if rows:
        table = Table("fault", *titles, title="Seconds reminders were late, at most")
        for row in rows:
            table.add_row(*row)
        console.print(table)
    if not run.unexpected:
        console.print(f"[green]Each of {counted(len(run.cells), 'verdict')} is as predicted.")
        return
    console.print(f"[bold red]{counted(len(run.unexpected), 'verdict is', 'verdicts are')} not as predicted:")
    for cell in run.unexpected:
        text = f"  {cell.comparison}: {cell.because}\n    {cell.command}"
        console.print(escape(text), soft_wrap=True)


def _legend() -> Table:
    table = Table("", "verdict", "the client was told", "in the database", title="What the verdicts mean", box=None)
    for verdict, entry in LEGEND.items():
        table.add_row(entry.symbol, verdict.value, entry.client, entry.database, style=entry.style)
    return table


def _verdicts(run: MatrixRun) -> Table:
    title = f"{counted(len(run.cells), 'broken write')} in {run.seconds:.0f} s, seed {run.seed}"
    table = Table("verdict", title=title)
    for column in (*(f"client {client}" for client in CLIENTS), "both"):
        table.add_column(column, justify="right")
    for twin in findings(run):
        table.add_row(twin.title, *(f"{count.total:,}" for count in twin.counts(Verdict.EXACTLY_ONCE)), style="bold")
        for verdict, entry in LEGEND.items():
            shares = [Text(str(count), entry.style if count.number else "dim") for count in twin.counts(verdict)]
            table.add_row(f"  {verdict.value}", *shares)
        table.add_section()
    return table


def _parts(run: MatrixRun, of: str, names: Iterable[str]) -> Table:
    """Return the counts per fault or operation, each with its verdict's symbol."""
    twins = findings(run)
    # Else the title of the twin would not fit into 80 columns.
    table = Table(of, *(twin.title for twin in twins), title=f"Per {of}", padding=0)
    for name in names:
        row = [
            Text("  ").join(
                Text(f"{LEGEND[verdict].symbol} {count.number}", LEGEND[verdict].style)
                for verdict, count in twin.verdicts(**{of: name}).items()
            )
            for twin in twins
        ]
        if any(row):
            table.add_row(name, *row)
    return table
