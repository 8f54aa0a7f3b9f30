"""The README's figures, generated from bench.json so that it cannot claim anything else."""

from collections.abc import Sequence
from pathlib import Path

from tests.bench import views
from tests.bench.arena import OPERATIONS
from tests.bench.results import Results
from tests.bench.targets import targets
from tests.bench.words import NAMES, NONE, SHORT, figure, meant, measured, times_and_spread
from tests.lab.picture.markers import Section

SECTION = Section("bench")


def render(results: Results, against_dbos: float | None = None) -> str:
    """Return as Markdown: targets, operations, the waterfall, recovery, growth, and what it was measured on."""
    parts = [
        _targets(results, against_dbos),
        _operations(results),
        _waterfall(results),
        _recovery(results),
        _growth(results),
        measured(results),
    ]
    return "\n\n".join(part for part in parts if part)


def write(path: Path, results: Results, against_dbos: float | None = None) -> None:
    """Put it between the markers.

    Raises:
        NoMarkersError: the file does not have each marker once, in order.

    """
    SECTION.write(path, render(results, against_dbos))


def is_current(path: Path, results: Results, against_dbos: float | None = None) -> bool:
    """Return whether what is between the markers is what these results say.

    Raises:
        NoMarkersError: the file does not have each marker once, in order.

    """
    return SECTION.says(path, render(results, against_dbos))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """Return a table whose first columns are text and whose others are numbers."""
    rule = ["---"] * left + ["--:"] * (len(head) - left)
    lines = [f"| {' | '.join(row)} |" for row in (head, *rows)]
    return "\n".join([lines[0], f"|{'|'.join(rule)}|", *lines[1:]])


def _targets(results: Results, against_dbos: float | None) -> str:
    rows = [
        [one.what, one.target, one.measured, f"**{one.verdict}**" if one.met is False else one.verdict]
        for one in targets(results, against_dbos)
    ]
    return _table(["what", "target", "measured", ""], rows, left=4)


def _operations(results: Results) -> str:
    closed = {(one.operation, one.clients, one.contestant): one for one in results.closed}
    ratios = {(one.operation, one.clients): one for one in results.ratios}
    if not ratios:
        return ""
    rows = []
    for operation, clients in sorted(ratios, key=lambda key: (OPERATIONS.index(key[0]), key[1])):
        basic, restate = (closed[operation, clients, twin] for twin in ("basic", "restate"))
        ratio = ratios[operation, clients]
        rows.append(
            [
                operation,
                str(clients),
                figure(basic.per_second.median),
                figure(restate.per_second.median),
                times_and_spread(ratio.throughput),
                *(figure(value) for one in (basic, restate) for value in (one.latency_ms.p50, one.latency_ms.p99)),
            ]
        )
    head = ["operation", "clients", "plain/s", "Restate/s", "Restate / plain"]
    head += ["plain p50 ms", "p99", "Restate p50 ms", "p99"]
    return _table(head, rows)


def _waterfall(results: Results) -> str:
    found = []
    for one in results.waterfalls:
        rows = [[hop.name, hop.where, f"{hop.milliseconds:.2f}"] for hop in one.hops]
        rows.append(["**sum**", "", f"**{one.sum_ms:.2f}**"])
        rows.append(["total, as the client sees it", "", f"{one.total_ms:.2f}"])
        found.append(_table([f"one add, {NAMES[one.contestant]}", "in", "ms"], rows, left=2))
    return "\n\n".join(found)


def _recovery(results: Results) -> str:
    _, groups = views.recoveries(results)
    lengths = sorted({meant(one.outage_seconds) for one in results.recoveries})
    rows = []
    for target, lines in groups:
        after = {meant(one.outage_seconds): f"{figure(one.applied_after_seconds)} s" for one, _ in lines}
        lost, twice = sum(one.lost for one, _ in lines), sum(one.duplicated for one, _ in lines)
        rows.append([target, *(after.get(length, NONE) for length in lengths), str(lost), str(twice)])
    parts = []
    if rows:
        parts.append(_table(["all applied after", *(f"{length} s away" for length in lengths), "lost", "twice"], rows))
    if drain := results.drain:
        parts.append(f"{drain.operations:,} operations that had waited were applied in {figure(drain.seconds)} s.")
    return "\n\n".join(parts)


def _growth(results: Results) -> str:
    parts = []
    if results.workers:
        rows = [
            [
                SHORT[one.contestant],
                str(one.web_workers),
                str(one.service_processes or NONE),
                figure(one.per_second),
                figure(one.p99_ms),
            ]
            for one in results.workers
        ]
        parts.append(_table(["more processes", "web", "service", "adds/s", "p99 ms"], rows))
    if results.rows:
        rows = [
            [
                SHORT[one.contestant],
                f"{one.rows:,}",
                figure(one.add_per_second),
                figure(one.add_p99_ms),
                figure(one.list_p50_ms),
                figure(one.purge_seconds),
            ]
            for one in results.rows
        ]
        parts.append(_table(["more rows", "rows", "adds/s", "p99 ms", "list p50 ms", "purge s"], rows))
    if results.journals:
        rows = [[f"{one.journals:,}", figure(one.per_second), figure(one.p99_ms)] for one in results.journals]
        parts.append(_table(["journals kept", "adds/s", "p99 ms"], rows, left=0))
    return "\n\n".join(parts)
