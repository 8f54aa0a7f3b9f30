"""The section about what many adds a second need, by the measured parts, and the check of that."""

from collections.abc import Iterator

from tests.costs.records import TWIN_NAMES, Costs, PinnedTier
from tests.costs.show.numbers import NONE, figure
from tests.costs.show.tables import Row, Section, Table
from tests.support.page import counted

RATES = (1_000, 100_000)
"""Adds a second, on paper."""

_CHECKED = (
    "All others and the load generator share another core. The adds a second should be those on paper, as long as the "
    "server's own core is the bottleneck: the busier one, and full. The Restate twin is called at Restate's ingress: "
    "its web, on the other core, would make that the bottleneck."
)

FULL = 0.85
"""A core that is busy for so much of the time counts as full."""


def capacity(costs: Costs) -> Section:
    """Return what many adds a second need by the measured parts, and the check of that."""
    needs = [f"{unit} for {rate:,}/s" for unit in ("cores", "MB/s") for rate in RATES]
    head = ["twin", "server", *needs]
    checked = ["twin", "has a core for itself", "bottleneck", "ms", "on paper", "adds/s", "own busy", "other busy"]
    pinned = [Row(_check(one)) for one in costs.pinned]
    return Section(
        "capacity",
        "Capacity on paper",
        f"What an add takes with {counted(costs.most_clients, 'client')}, times so many a second: its milliseconds of "
        "a core are the cores that 1,000 a second need, and its kB their MB/s. A Python process has one core at most: "
        "more of them take more processes.",
        [
            Table("What many adds a second need", head, [*_needs(costs)], words=2),
            Table("The check: a server with one core", checked, pinned, words=3, note=_CHECKED),
        ],
        notes=[] if pinned else [("Not checked", "it takes two cores, and a system that pins processes to them.")],
    )


def _needs(costs: Costs) -> Iterator[Row]:
    for name in TWIN_NAMES:
        used = [one for one in costs.usage if one.application == name]
        parts = [(one.server, one.cpu_ms, one.written_kb) for one in used]
        written = [one.written_kb for one in used if one.written_kb is not None]
        parts += [("sum", sum(one.cpu_ms for one in used), sum(written) or None)] if used else []
        for server, cpu_ms, kilobytes in parts:
            cores = [figure(cpu_ms * rate / 1000) for rate in RATES]
            megabytes = [figure(None if kilobytes is None else kilobytes * rate / 1000) for rate in RATES]
            yield Row([name, server, *cores, *megabytes])
        for disk in (one for one in costs.disk if one.application == name):
            megabytes = [figure(disk.written_kb * rate / 1000) for rate in RATES]
            yield Row([name, "disk", *[NONE] * len(RATES), *megabytes])


def _check(one: PinnedTier) -> list[str]:
    full = max(one.busy, one.others_busy) >= FULL
    bottleneck = (one.server if one.busy >= one.others_busy else "the others") if full else "neither"
    busy = [figure(100 * share, "%") for share in (one.busy, one.others_busy)]
    return [one.application, one.server, bottleneck, *map(figure, (one.cpu_ms, one.predicted, one.per_second)), *busy]
