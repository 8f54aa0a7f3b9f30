"""The answer in the terminal."""

from collections import Counter, defaultdict

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from tests.lab.history import Verdict

from .answer import answer, price_sentence
from .results import TWINS, Cell, Results, count
from .words import NAMES, WORDS, plain, times


def print_summary(results: Results, console: Console) -> None:
    """Print the counts per twin and per fault, the price, and each unexpected cell with what runs it again."""
    console.print(_per_twin(results))
    console.print(_per_fault(results))
    if price := price_sentence(results):
        console.print(price)
    unexpected = results.unexpected
    if not unexpected:
        console.print(f"[green]Each of {times(len(results.cells), 'verdict')} is the expected one.")
        return
    console.print(f"[bold red]{times(len(unexpected), 'verdict is', 'verdicts are')} not the expected one:")
    for cell in unexpected:
        console.print(
            f"  [bold]{cell.verdict.value}[/], expected {cell.expected.value}: {escape(cell.because)}\n"
            f"    {escape(cell.command)}",
            soft_wrap=True,
        )


def _per_twin(results: Results) -> Table:
    table = Table(title=f"{times(len(results.cells), 'broken write')} in {results.seconds:.0f} s, seed {results.seed}")
    table.add_column("twin")
    table.add_column("client")
    for verdict in Verdict:
        table.add_column(verdict.value, justify="right")
    table.add_column("all", justify="right")
    for twin in answer(results):
        rows: list[tuple[str, Counter[Verdict]]] = [*twin.by_client.items(), ("both", twin.counts)]
        for number, (client, counts) in enumerate(rows):
            cells = [_number(counts[verdict], verdict) for verdict in Verdict]
            name = "" if number else twin.name
            table.add_row(name, client, *cells, str(counts.total()), end_section=client == "both")
    return table


def _per_fault(results: Results) -> Table:
    cells: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in results.cells:
        cells[cell.twin, cell.fault].append(cell)
    table = Table(title="Per fault")
    table.add_column("fault")
    for twin in TWINS:
        table.add_column(NAMES[twin])
    for fault in results.faults:
        table.add_row(escape(fault.name), *(_counts(cells[twin, fault.name]) for twin in TWINS))
    return table


def _counts(cells: list[Cell]) -> Text:
    parts = [
        Text(f"{number} {plain(verdict)}", WORDS[verdict].style)
        for verdict in Verdict
        if (number := count(cells)[verdict])
    ]
    return Text(", ").join(parts) if parts else Text("—", "dim")


def _number(number: int, verdict: Verdict) -> Text:
    return Text(str(number), WORDS[verdict].style if number else "dim")
