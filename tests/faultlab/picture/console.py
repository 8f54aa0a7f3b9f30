"""What a run has found, in the terminal: complete in 80 columns."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from tests.faultlab.legend import LEGEND, Share, counted
from tests.faultlab.matrix.faults import FAULTS
from tests.faultlab.matrix.records import MatrixRun
from tests.faultlab.matrix.rules import CLIENTS
from tests.support.history import Verdict

from .findings import TwinFindings, findings


def print_run(run: MatrixRun, console: Console) -> None:
    """Print the legend, the verdicts per twin and per fault, and each unexpected cell with what runs it again."""
    twins = findings(run)
    for table in (_legend(), _verdicts(run, twins), _faults(twins)):
        console.print(table)
    if not run.unexpected:
        console.print(f"[green]Each of {counted(len(run.cells), 'verdict')} is as predicted.")
        return
    console.print(f"[bold red]{counted(len(run.unexpected), 'verdict is', 'verdicts are')} not as predicted:")
    for cell in run.unexpected:
        console.print(
            f"  {escape(cell.comparison)}: {escape(cell.because)}\n    {escape(cell.command)}", soft_wrap=True
        )


def _legend() -> Table:
    table = Table("", "verdict", "the client was told", "in the database", title="What the verdicts mean", box=None)
    for verdict, entry in LEGEND.items():
        table.add_row(entry.symbol, verdict.value, entry.client, entry.database, style=entry.style)
    return table


def _verdicts(run: MatrixRun, twins: list[TwinFindings]) -> Table:
    title = f"{counted(len(run.cells), 'broken write')} in {run.seconds:.0f} s, seed {run.seed}"
    table = Table("verdict", title=title)
    for column in (*(f"client {client}" for client in CLIENTS), "both"):
        table.add_column(column, justify="right")
    for twin in twins:
        totals = (f"{count.total:,}" for count in twin.counts(Verdict.EXACTLY_ONCE))
        table.add_row(twin.title, *totals, style="bold")
        for verdict in Verdict:
            table.add_row(f"  {verdict.value}", *(_styled(count, verdict) for count in twin.counts(verdict)))
        table.add_section()
    return table


def _styled(count: Share, verdict: Verdict) -> Text:
    return Text(str(count), LEGEND[verdict].style if count.number else "dim")


def _faults(twins: list[TwinFindings]) -> Table:
    """Return the counts per fault, each with its verdict's symbol."""
    table = Table("fault", title="Per fault")
    for twin in twins:
        table.add_column(twin.title)
    for fault in FAULTS:
        if any(row := [_symbols(twin, fault.name) for twin in twins]):
            table.add_row(fault.name, *row)
    return table


def _symbols(twin: TwinFindings, fault: str) -> Text:
    counts = [(LEGEND[verdict], twin.count(verdict, fault=fault).number) for verdict in Verdict]
    return Text("  ").join(Text(f"{entry.symbol} {number}", entry.style) for entry, number in counts if number)
