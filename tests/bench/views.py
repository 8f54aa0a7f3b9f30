"""What the page shows: each section as rows, with the bars that belong to them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.arena import OPERATIONS, SERVERS, TWINS
from tests.bench.bars import Bar, Dot, Linear, Logarithmic, Tick
from tests.bench.results import Closed, Contestant, Hop, Open, OperationName, Ratio, Recovery, Results, Waterfall
from tests.bench.targets import RECOVERY_SECONDS
from tests.bench.words import NAMES, PLACES, PLURALS, SHORT, figure


@dataclass(frozen=True)
class Panel:
    """An operation in closed loops: for each number of clients its contestants, and the ratio of the twins."""

    operation: OperationName
    title: str
    groups: list[tuple[int, Ratio | None, list[tuple[Closed, Bar]]]]


def panels(results: Results) -> list[Panel]:
    """Return the operations that were measured."""
    ratios = {(ratio.operation, ratio.clients): ratio for ratio in results.ratios}
    found = []
    for operation in OPERATIONS:
        of_it = [one for one in results.closed if one.operation == operation]
        scale = Linear(one.per_second.high for one in of_it)
        by_clients: dict[int, list[tuple[Closed, Bar]]] = defaultdict(list)
        for one in sorted(of_it, key=lambda one: (one.clients, list(NAMES).index(one.contestant))):
            by_clients[one.clients].append((one, scale.bar_of(one.per_second, f"c-{one.contestant}")))
        groups = [(clients, ratios.get((operation, clients)), lines) for clients, lines in by_clients.items()]
        if groups:
            found.append(Panel(operation, f"{PLURALS[operation]} per second", groups))
    return found


@dataclass(frozen=True)
class OpenLoop:
    """All open loops, on one scale."""

    ticks: list[Tick]
    groups: list[tuple[OperationName, float, list[tuple[Open, list[Dot]]]]]


def open_loop(results: Results) -> OpenLoop:
    """Return the open loops by operation."""
    scale = Logarithmic(
        value for one in results.open for value in one.latency_ms.model_dump().values() if value is not None
    )
    groups = []
    for operation in OPERATIONS:
        lines = [(one, scale.dots(one.latency_ms)) for one in results.open if one.operation == operation]
        if lines:
            groups.append((operation, lines[0][0].rate, lines))
    return OpenLoop(scale.ticks, groups)


@dataclass(frozen=True)
class Measure:
    """One thing that adds take from the machine: both twins, server by server."""

    name: str
    unit: str
    lines: list[tuple[str, float, list[Bar]]]


def usage(results: Results) -> list[Measure]:
    """Return what adds take, by server."""
    found = []
    for name, unit, field in (
        ("CPU time per add", "ms", "cpu_ms"),
        ("fsyncs of a log per add", "", "fsyncs"),
        ("written per add", "kB", "written_kb"),
        ("private memory, at most", "MB", "peak_memory_mb"),
    ):
        by_twin: dict[Contestant, dict[str, float]] = {}
        for one in results.usage:
            value = getattr(one, field)
            if value is not None:
                by_twin.setdefault(one.contestant, {})[one.server] = value
        found.append(_measure(name, unit, by_twin))
    idle = {twin: results.idle_memory_mb[twin] for twin in TWINS if twin in results.idle_memory_mb}
    found.append(_measure("resident memory, idle", "MB", idle))
    disk: dict[Contestant, dict[str, float]] = {one.contestant: {"disk": one.writes} for one in results.disk}
    found.append(_measure("writes of the disk per add", "", disk))
    disk = {one.contestant: {"disk": one.written_kb} for one in results.disk}
    found.append(_measure("written to the disk per add", "kB", disk))
    return [measure for measure in found if measure.lines]


def _measure(name: str, unit: str, by_twin: dict[Contestant, dict[str, float]]) -> Measure:
    totals = {twin: sum(servers.values()) for twin, servers in by_twin.items()}
    scale = Linear(totals.values())
    lines = []
    for twin, servers in by_twin.items():
        parts = [
            (f"w-{PLACES.get(server, 'disk').lower()}", value, f"{server}: {figure(value)} {unit}".rstrip())
            for server, value in servers.items()
        ]
        lines.append((SHORT[twin], totals[twin], scale.stack(parts)))
    return Measure(name, unit, lines)


def usage_table(results: Results) -> list[tuple[Contestant, str, Sequence[str]]]:
    """Return a line for each twin and server: CPU, fsyncs, written, memory at most and idle."""
    by_server = {(one.contestant, one.server): one for one in results.usage}
    lines: list[tuple[Contestant, str, Sequence[str]]] = []
    for twin in TWINS:
        for server in SERVERS[twin]:
            used = by_server.get((twin, server))
            idle = results.idle_memory_mb.get(twin, {}).get(server)
            if used or idle is not None:
                figures = (used.cpu_ms, used.fsyncs, used.written_kb, used.peak_memory_mb) if used else (None,) * 4
                lines.append((twin, server, [figure(value) for value in (*figures, idle)]))
    return lines


@dataclass(frozen=True)
class Falls:
    """The waterfall of one contestant, on the scale of all."""

    waterfall: Waterfall
    lines: list[tuple[Hop, Bar]]
    total: Bar

    @property
    def difference(self) -> float:
        """By what share of the total the sum of the hops differs from it, in percent."""
        return 100 * (self.waterfall.sum_ms / self.waterfall.total_ms - 1)


def waterfalls(results: Results) -> list[Falls]:
    """Return the waterfalls."""
    scale = Linear(value for one in results.waterfalls for value in (one.sum_ms, one.total_ms))
    return [
        Falls(one, list(zip(one.hops, scale.chain(one.hops), strict=True)), scale.bar(one.total_ms, "w-total"))
        for one in results.waterfalls
    ]


def recoveries(results: Results) -> tuple[float, list[tuple[str, list[tuple[Recovery, Bar]]]]]:
    """Return where the target stands, and the outages by what was down."""
    scale = Linear([RECOVERY_SECONDS * 1.1, *(one.applied_after_seconds for one in results.recoveries)])
    groups: dict[str, list[tuple[Recovery, Bar]]] = defaultdict(list)
    for one in sorted(results.recoveries, key=lambda one: one.outage_seconds):
        css = "c-restate" if one.applied_after_seconds < RECOVERY_SECONDS else "c-late"
        groups[one.target].append((one, scale.bar(one.applied_after_seconds, css)))
    return scale.at(RECOVERY_SECONDS), list(groups.items())
