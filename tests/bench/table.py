"""The answer in the terminal."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tests.bench import views
from tests.bench.answer import answer
from tests.bench.results import Results
from tests.bench.targets import targets
from tests.bench.words import SHORT, figure, times_and_spread

_STYLES = {True: "green", False: "bold red", None: "dim"}


def print_summary(results: Results, console: Console, against_dbos: float | None = None) -> None:
    """Print what was measured: throughput, the waterfalls, recovery, and the targets."""
    if results.closed:
        console.print(_throughput(results))
    for falls in views.waterfalls(results):
        console.print(_waterfall(falls))
    if results.recoveries:
        console.print(_recovery(results))
    console.print(_targets(results, against_dbos))
    for sentence in answer(results):
        console.print(sentence, highlight=False)


def _throughput(results: Results) -> Table:
    table = Table(title=f"Closed loops, {results.seconds:.0f} s in all; times in ms")
    for name in ("", "clients", "twin", "a second", "p50", "p99", "p99.9", "Restate / plain"):
        table.add_column(name, justify="left" if name in ("", "twin") else "right", no_wrap=True)
    for panel in views.panels(results):
        for clients, ratio, lines in panel.groups:
            for number, (one, _) in enumerate(lines):
                latency = one.latency_ms
                table.add_row(
                    "" if number else panel.operation,
                    "" if number else str(clients),
                    SHORT[one.contestant],
                    figure(one.per_second.median),
                    *(figure(value) for value in (latency.p50, latency.p99, latency.p999)),
                    times_and_spread(ratio.throughput) if ratio and not number else "",
                    end_section=number == len(lines) - 1,
                )
    return table


def _waterfall(falls: views.Falls) -> Table:
    waterfall = falls.waterfall
    table = Table(title=f"One durable add, {SHORT[waterfall.contestant]}", show_footer=True)
    table.add_column("stretch", f"sum; the client sees {waterfall.total_ms:.2f} ms, {falls.difference:+.1f} %")
    table.add_column("in")
    table.add_column("ms", f"{waterfall.sum_ms:.2f}", justify="right")
    for hop in waterfall.hops:
        table.add_row(hop.name, hop.where, f"{hop.milliseconds:.2f}")
    return table


def _recovery(results: Results) -> Table:
    table = Table(title="Recovery, counted from when the server listens")
    table.add_column("what was away")
    for name in ("for", "in flight", "all applied after", "lost", "duplicated"):
        table.add_column(name, justify="right")
    for one in results.recoveries:
        table.add_row(
            one.target,
            f"{one.outage_seconds:.0f} s",
            f"{one.in_flight:,}",
            f"{figure(one.applied_after_seconds)} s",
            str(one.lost),
            str(one.duplicated),
        )
    return table


def _targets(results: Results, against_dbos: float | None) -> Table:
    table = Table(title="Targets")
    for name in ("what", "target", "measured", ""):
        table.add_column(name)
    for target in targets(results, against_dbos):
        table.add_row(target.what, target.target, target.measured, Text(target.verdict, _STYLES[target.met]))
    return table
