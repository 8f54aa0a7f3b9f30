"""The sections of tables in which a run of `make bench` is shown."""

from collections.abc import Iterator, Mapping
from typing import get_args

from tests.costs.capacity import capacity
from tests.costs.floor import PLACES, floor, made_of
from tests.costs.goals import RECOVERY_SECONDS, goals
from tests.costs.peers import report as of_peers
from tests.costs.peers.records import PeerCosts
from tests.costs.records import REQUEST_KINDS, ApplicationName, Costs, GrowthFactor, Waterfall
from tests.costs.show.numbers import NONE, figure, figure_of_rounds, ratio, ratio_of_rounds
from tests.costs.show.tables import Judged, Linear, Logarithmic, Plot, Row, Section, Table, TableCell, Tick, harm
from tests.costs.spread import PERCENTILES, Latency
from tests.support.page import counted
from todo_stack.twins import RESTATE, TWINS, twin_named

_COLOURS = {**dict.fromkeys((twin.title for twin in TWINS), "web"), RESTATE.writer: "service", "db": "database"}
"""The class of a server's colour, where it is not its name."""


FLAT = 1.15
"""Costs for one operation that grow by more than this with the work do not stay the same."""


def sections(costs: Costs, peers: PeerCosts | None) -> list[Section]:
    """Return what there is to show, the most important first, and the peers last if there is a run of them."""
    found = [_goals(costs, peers)]
    found += [section(costs) for section in _SECTIONS]
    found += [of_peers.section(peers, costs)] if peers else []
    shown = [section._replace(tables=[table for table in section.tables if table.rows]) for section in found]
    return [section for section in shown if section.tables]


def _goals(costs: Costs, peers: PeerCosts | None) -> Section:
    return Section(
        "goals",
        "The answer in figures",
        "Ratios are the median of those of each round of one run, in which the twins take turns, and in brackets the "
        "lowest and the highest; in the goals for lists, where the median of all such rounds lies with 95 % "
        "confidence. So they need not be the ratio of two medians.",
        [Table("Goals", ["what", "goal", "measured", ""], goals(costs, peers), words=4)],
    )


def _percentiles(latency: Latency) -> list[str]:
    return [figure(getattr(latency, field)) for field in PERCENTILES]


def _closed_loops(costs: Costs) -> Section:
    short_turns = f"list, in short turns{costs.where_lists}"
    of_kind = [
        (kind, [one for one in costs.closed_loops if one.request == kind], costs.ratios) for kind in REQUEST_KINDS
    ]
    head = ["clients", "", "a second", *PERCENTILES.values(), "Restate / plain"]
    tables = []
    for kind, loops, of_rounds in [*of_kind, (short_turns, costs.short_lists, costs.short_ratios)]:
        ratios = {(one.request, one.clients): ratio_of_rounds(one.throughput) for one in of_rounds}
        scale = Linear(one.per_second.high for one in loops)
        rows = []
        for one in loops:
            against = ratios.get((one.request, one.clients), NONE) if one.application == RESTATE.key else ""
            figures = [figure_of_rounds(one.per_second), *_percentiles(one.latency_ms), against]
            bar = scale.bar(one.per_second, one.application)
            rows.append(Row([f"{one.clients:,}", one.application, *figures], bar))
        tables.append(Table(f"{kind}: requests a second, and their times in ms", head, rows, words=2))
    return Section(
        "closed",
        "Throughput and latency",
        "Closed loops: each client sends its next request when it has its answer. Throughput counts from when all "
        "clients have one, and is the median of the rounds, with the lowest and the highest; times are those of all "
        "rounds. A dash stands where the requests were too few for that percentile. In short turns, one load generator "
        "has all, and is warm; each other sample has one of its own.",
        tables,
    )


def _open_loops(costs: Costs) -> Section:
    times = [{field: getattr(one.latency_ms, field) for field in PERCENTILES} for one in costs.open_loops]
    scale = Logarithmic(value for each in times for value in each.values() if value)
    rows = []
    for one, each in zip(costs.open_loops, times, strict=True):
        dots = [Tick(scale.at(value), PERCENTILES[field]) for field, value in each.items() if value is not None]
        cells = [one.request, figure(one.rate), one.application, *_percentiles(one.latency_ms), f"{one.answers:,}"]
        rows.append(Row(cells, Plot(dots=dots, css=one.application)))
    head = ["request", "a second", "", *PERCENTILES.values(), "requests"]
    return Section(
        "open",
        "Latency at a fixed rate",
        "Open loops: requests start by the clock, at the same rate in both twins, and their time counts from when they "
        "were due. A server that stalls cannot hide it by slowing its clients down.",
        [Table("Times in ms", head, rows, words=3, ticks=scale.ticks)],
    )


def _usage(costs: Costs) -> Section:
    used = {(one.application, one.server): one for one in costs.usage}
    fields = ("cpu_ms", "fsyncs", "written_kb", "peak_memory_mb")
    by_server = [
        [twin, server, *(figure(getattr(used.get((twin, server)), field, None)) for field in fields), figure(idle)]
        for twin, servers in costs.idle_memory_mb.items()
        for server, idle in servers.items()
    ]
    names = ("CPU time per add, ms", "fsyncs of a log per add", "written per add, kB", "private memory at most, MB")
    rows: list[Row] = []
    for name, field in zip(names, fields, strict=True):
        taken: dict[ApplicationName, dict[str, float]] = {}
        for one in costs.usage:
            if (value := getattr(one, field)) is not None:
                taken.setdefault(one.application, {})[one.server] = value
        rows += _stacked(name, taken)
    rows += _stacked("resident memory, idle, MB", costs.idle_memory_mb)
    rows += _stacked("writes of the disk per add", {one.application: {"disk": one.writes} for one in costs.disk})
    written = {one.application: {"disk": one.written_kb} for one in costs.disk}
    rows += _stacked("written to the disk per add, kB", written)
    head = ["twin", "server", "CPU ms", "fsyncs", "kB written", "MB peak", "MB idle"]
    return Section(
        "usage",
        "What an add takes from the machine",
        f"With {counted(costs.most_clients, 'client')}. All processes of a server together. Written is what a server "
        "gives to the system for its files; what reaches the disk in the end is counted for the whole machine.",
        [
            Table("All servers together", ["", "twin", "sum"], rows, words=2),
            Table("By server, for one add", head, [Row(cells) for cells in by_server], words=2),
        ],
        PLACES,
    )


def _stacked(what: str, taken: Mapping[ApplicationName, Mapping[str, float]]) -> Iterator[Row]:
    """Return the sums of what servers take, by twin, with a bar for each server."""
    sums = {twin: sum(servers.values()) for twin, servers in taken.items()}
    scale = Linear(sums.values())
    for twin, servers in taken.items():
        parts = ((_COLOURS.get(name, name), value, f"{name}: {figure(value)}") for name, value in servers.items())
        yield Row([what, twin, figure(sums[twin])], Plot(scale.chain(parts)))


def _waterfalls(costs: Costs) -> Section:
    scale = Linear(value for one in costs.waterfalls for value in (one.sum_ms, one.total_ms))
    return Section(
        "waterfall",
        "Where the time of one add goes",
        "One client, adding one todo after the other. Each stretch is the median of what was measured; they follow one "
        "another without a gap. Both twins are on one scale. The total was measured in turn with them, without any "
        "tracing.",
        [_waterfall(one, scale) for one in costs.waterfalls],
        {"client": "client", **PLACES},
    )


def _waterfall(one: Waterfall, scale: Linear) -> Table:
    bars = scale.chain([(hop.where.lower(), hop.milliseconds, hop.name) for hop in one.hops])
    named = zip(one.hops, bars, strict=True)
    rows = [Row([hop.name, hop.where, figure(hop.milliseconds)], Plot([bar])) for hop, bar in named]
    rows.append(Row(["sum", "", figure(one.sum_ms)]))
    rows.append(Row(["total, as the client sees it", "", figure(one.total_ms)], scale.bar(one.total_ms, "total")))
    difference = 100 * (one.sum_ms / one.total_ms - 1)
    note = f"The sum is {figure(abs(difference), '%')} {'more' if difference > 0 else 'less'} than the total."
    details = next((f" In Restate, {hop.detail}." for hop in one.hops if hop.detail), "")
    caption = f"{twin_named(one.application).title}, {counted(one.requests, 'request')}"
    return Table(caption, ["stretch", "in", "ms"], rows, words=2, note=note + details)


def _recovery(costs: Costs) -> Section:
    scale = Linear([RECOVERY_SECONDS * 1.1, *(one.applied_after_seconds for one in costs.recoveries)])
    rows = []
    for one in sorted(costs.recoveries, key=lambda one: one.killed):
        seconds = one.applied_after_seconds
        cells: list[TableCell] = [one.killed, f"{one.meant_seconds:,} s", f"{one.in_flight:,}", figure(seconds, "s")]
        cells += [harm(one.lost), harm(one.duplicated)]
        css = RESTATE.key if seconds < RECOVERY_SECONDS else "late"
        rows.append(Row(cells, scale.bar(seconds, css, limit=RECOVERY_SECONDS)))
    tables = [Table("Recovery", ["down", "for", "in flight", "all applied after", "lost", "done twice"], rows, words=2)]
    head = ["accepted while the service endpoint was down", "all applied after", "a second", "time for one / first"]
    each = [one.seconds / one.operations for one in costs.drains]
    rows = [
        Row([f"{one.operations:,}", figure(one.seconds, "s"), figure(1 / for_one), _flat(for_one, each[0])])
        for one, for_one in zip(costs.drains, each, strict=True)
    ]
    tables.append(Table("Drain of a backlog", head, rows))
    return Section(
        "recovery",
        "Recovery",
        "A server is killed while operations are in flight, is down for so long, and is started again. The time counts "
        f"from when it listens until the last of them is applied; the goal is under {RECOVERY_SECONDS:g} s.",
        tables,
    )


def _growth(costs: Costs) -> Section:
    tables = []
    for what in get_args(GrowthFactor):
        grown = [one for one in costs.growth if one.what == what]
        scale = Linear(one.per_second for one in grown)
        fields = {"per_second": "adds/s", "p99_ms": "p99 ms", "cpu_ms": "CPU ms"}
        others = {
            "clients": {"refused": "503"},
            "web processes": {"pages_per_second": "pages/s", "web_memory_mb": "web MB"},
            "rows": {"list_p50_ms": "list p50 ms", "purge_seconds": "purge s"},
        }
        fields_after = others.get(what, {})
        first: dict[ApplicationName, float | None] = {}
        rows = []
        for one in grown:
            cost = _flat(one.cpu_ms, first.setdefault(one.application, one.cpu_ms))
            before, after = ([_number(getattr(one, field)) for field in each] for each in (fields, fields_after))
            cells = [one.application, _number(one.size), *before, cost, *after]
            rows.append(Row(cells, scale.bar(one.per_second, one.application)))
        head = ["twin", what, *fields.values(), "CPU / first", *fields_after.values()]
        tables.append(Table(f"More {what}", head, rows, words=2))
    return Section(
        "growth",
        "Growth",
        f"Adds by {counted(costs.most_clients, 'client')}, unless it says otherwise. CPU is the processor time for one "
        f"add, of all servers together; beside it that over the first row of the twin: more than {FLAT:g} is not flat. "
        "503: so often the web had no room, and the client waited as it was told. Pages are those of the list, by "
        "8 clients; MB: what is resident of the web after that. Rows are todos, and as many in the "
        "ledger, half of which the purge deletes. Journals are those of the calls that the Restate server still keeps.",
        tables,
    )


def _number(value: float | None) -> str:
    return f"{value:,}" if isinstance(value, int) else figure(value)


def _flat(value: float | None, first: float | None) -> TableCell:
    """Return a cost for one add over that of the first, and mark one that has grown."""
    if not value or not first:
        return NONE
    return ratio(value / first) if value / first <= FLAT else Judged(ratio(value / first))


_SECTIONS = (floor, made_of, _closed_loops, _open_loops, _usage, capacity, _waterfalls, _recovery, _growth)
