"""The table: on the console, and as Markdown for the README, from the same results."""

from rich.console import Console
from rich.table import Table

from tests.bench.peers.results import Results, Row
from tests.lab.burst import CLIENTS
from tests.lab.history import Verdict
from tests.lab.picture.words import times

HEADINGS = ("the add with", "lines", "more servers", "p50 ms", "adds/s", "LOST", "DUPLICATED", "not told")

_VERSIONS = ("PostgreSQL", "Restate", "DBOS", "Celery", "Redis", "Temporal", "Python", "Flask")
_NOT_TOLD = (Verdict.GHOST, Verdict.NOT_APPLIED, Verdict.REFUSED)


def print_table(results: Results, console: Console) -> None:
    """Print the table, what is not comparable, and who is missing."""
    table = Table(title=f"An add, {results.clients} clients, {results.seconds:.0f} s")
    for number, heading in enumerate(HEADINGS):
        table.add_column(heading, justify="right" if number else "left", no_wrap=not number)
    for row in results.rows:
        table.add_row(*_cells(row))
    console.print(table)
    for row in results.rows:
        console.print(f"[bold]{row.title}[/]: {row.not_comparable}", highlight=False)
    if ratio := _ratio(results):
        console.print(ratio)
    for title, reason in results.skipped.items():
        console.print(f"[yellow]{title} is missing: {reason}")


def render(results: Results) -> str:
    """Return the table as Markdown, with what it was measured on and what is not comparable."""
    lines = ["| " + " | ".join(HEADINGS) + " |", "|---|" + "--:|" * (len(HEADINGS) - 1)]
    for row in results.rows:
        cells = _cells(row)
        lines.append("| " + " | ".join([*cells[:5], *(_strong(cell) for cell in cells[5:7]), cells[7]]) + " |")
    lines += ["", _explanation(results)]
    if ratio := _ratio(results):
        lines += ["", ratio]
    lines += ["", "Not comparable:", ""]
    lines += [f"- **{row.title}**: {row.not_comparable}" for row in results.rows]
    lines += [f"- **{title}** is missing: {reason}" for title, reason in results.skipped.items()]
    return "\n".join(lines)


def _explanation(results: Results) -> str:
    machine = results.machine
    versions = ", ".join(f"{name} {results.versions[name]}" for name in _VERSIONS if name in results.versions)
    operations = {row.kills.operations for row in results.rows}
    kills = {row.kills.kills for row in results.rows}
    return (
        "The same route, table and PostgreSQL, and for each "
        f"{times(results.web_workers, 'web process', 'web processes')} with {results.web_threads} threads where it "
        f"does the write itself, and {results.waiting_threads} where it waits for another process. Lines: of "
        f"code, for the add alone. p50 is that of one client, adds/s those of {results.clients}. The last three "
        f"columns are of {_one(operations)} other adds from {CLIENTS} clients, while the process that writes was "
        f"killed (SIGKILL) {times(_one(kills), 'time')}; nobody asked twice. Not told: the client got an error or no "
        f"answer. Measured on {results.started:%Y-%m-%d}, {machine.system}, {machine.cores} cores, "
        f"{machine.memory_gib:g} GiB, with {versions}."
    )


def _cells(row: Row) -> list[str]:
    verdicts = row.kills.verdicts
    return [
        row.title,
        str(row.lines),
        ", ".join(row.components) or "none",
        f"{row.p50_ms:.1f}",
        f"{row.adds_per_second:.0f}",
        str(verdicts.get(Verdict.LOST, 0)) + (f", {stuck} stuck" if (stuck := verdicts.get(Verdict.STUCK)) else ""),
        str(verdicts.get(Verdict.DUPLICATED, 0)),
        str(sum(verdicts.get(verdict, 0) for verdict in _NOT_TOLD)),
    ]


def _ratio(results: Results) -> str:
    ratio = results.throughput_ratio("restate", "dbos")
    return f"flask-todo-restate does {ratio:.1f} times the adds of DBOS." if ratio else ""


def _strong(cell: str) -> str:
    return cell if cell == "0" else f"**{cell}**"


def _one(values: set[int]) -> int:
    """Return what is the same for all contestants."""
    (value,) = values
    return value
