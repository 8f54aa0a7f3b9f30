"""The sections of tables in which a run of `make bench` is shown."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import get_args

from tests.costs.goals import RECOVERY_SECONDS, goals
from tests.costs.records import REQUEST_KINDS, TWINS, Application, Costs, GrownPart, Latency, Waterfall
from tests.costs.show.numbers import NONE, chosen, counted, figure, ratio_of_rounds, whole
from tests.costs.show.plots import Linear, Logarithmic, Plot, Tick
from tests.costs.show.tables import Judged, Row, Section, Table, rows_of

NAMES: dict[Application, str] = {
    "plain": "flask-todo",
    "restate": "flask-todo-restate",
    "minimal": "minimal Flask and psycopg2",
}
SHORT: dict[Application, str] = {"plain": "plain", "restate": "Restate", "minimal": "minimal"}

_COLOURS = {
    "flask-todo": "web",
    "flask-todo-restate": "web",
    "restate": "restate",
    "restate_app": "service",
    "db": "database",
}
"""Of each server: that of the place where a waterfall's hop is."""
_LEGEND = {"web": "web", "restate": "Restate", "service": "service", "database": "database"}

_PERCENTILES = ("p50", "p90", "p99", "p99.9")


def all_sections(costs: Costs, against_dbos: float | None) -> list[Section]:
    """Return what there is to show, the most important first; `against_dbos` as in goals."""
    found = [
        _goals(costs, against_dbos),
        _closed_loops(costs),
        _open_loops(costs),
        _usage(costs),
        _waterfalls(costs),
        _recovery(costs),
        _growth(costs),
    ]
    return [section for section in found if any(table.rows for table in section.tables)]


def _goals(costs: Costs, against_dbos: float | None) -> Section:
    rows = [Row([one.what, one.aim, one.measured, Judged(one.verdict, one.met)]) for one in goals(costs, against_dbos)]
    return Section(
        "goals",
        "The answer in figures",
        "Ratios are taken within each round of one run, in which the twins take turns; in brackets the lowest and the "
        "highest round.",
        [Table("Goals", ["what", "goal", "measured", ""], rows, words=4)],
    )


def _closed_loops(costs: Costs) -> Section:
    ratios = {(one.request, one.clients): ratio_of_rounds(one.throughput) for one in costs.ratios}
    tables = []
    for kind in REQUEST_KINDS:
        loops = [one for one in costs.closed_loops if one.request == kind]
        scale = Linear(one.per_second.high for one in loops)
        rows = [
            Row(
                [
                    whole(one.clients),
                    SHORT[one.application],
                    figure(one.per_second.median),
                    *_percentiles(one.latency_ms),
                    ratios.get((kind, one.clients), NONE) if one.application == "restate" else "",
                ],
                scale.bar(one.per_second, one.application),
            )
            for one in sorted(loops, key=lambda one: (one.clients, list(NAMES).index(one.application)))
        ]
        head = ["clients", "", "a second", *_PERCENTILES, "Restate / plain"]
        tables.append(Table(f"{kind}: requests a second, and their times in ms", head, rows, words=2))
    return Section(
        "closed",
        "Throughput and latency",
        "Closed loops: each client sends its next request when it has its answer. Throughput is the median of the "
        "rounds, with whiskers from the lowest to the highest; times are those of all rounds. A dash stands where the "
        "requests were too few for that percentile.",
        [table for table in tables if table.rows],
    )


def _percentiles(latency: Latency) -> list[str]:
    return [figure(value) for value in (latency.p50, latency.p90, latency.p99, latency.p999)]


def _open_loops(costs: Costs) -> Section:
    scale = Logarithmic(value for one in costs.open_loops for value in one.latency_ms.model_dump().values() if value)
    rows = []
    for one in costs.open_loops:
        latency = one.latency_ms
        named = zip(_PERCENTILES, (latency.p50, latency.p90, latency.p99, latency.p999), strict=True)
        dots = [Tick(scale.at(value), name) for name, value in named if value is not None]
        cells = [one.request, figure(one.rate), SHORT[one.application], *_percentiles(latency), whole(one.answers)]
        rows.append(Row(cells, Plot(dots=dots, css=one.application)))
    head = ["request", "a second", "", *_PERCENTILES, "requests"]
    return Section(
        "open",
        "Latency at a fixed rate",
        "Open loops: requests start by the clock, at the same rate in both twins, and their time counts from when they "
        "were due. A server that stalls cannot hide it by slowing its clients down.",
        [Table("Times in ms", head, rows, words=3, ticks=scale.ticks)],
    )


def _usage(costs: Costs) -> Section:
    used = {(one.application, one.server): one for one in costs.usage}
    idle = costs.idle_memory_mb
    by_server = [
        [
            SHORT[twin],
            server,
            *(
                figure(getattr(used.get((twin, server)), field, None))
                for field in ("cpu_ms", "fsyncs", "written_kb", "peak_memory_mb")
            ),
            figure(memory),
        ]
        for twin in TWINS
        for server, memory in idle.get(twin, {}).items()
    ]
    rows: list[Row] = []
    for name, unit, field in (
        ("CPU time per add", "ms", "cpu_ms"),
        ("fsyncs of a log per add", "", "fsyncs"),
        ("written per add", "kB", "written_kb"),
        ("private memory, at most", "MB", "peak_memory_mb"),
    ):
        values = [(one.application, one.server, getattr(one, field)) for one in costs.usage]
        rows += _stacked(name, unit, [each for each in values if each[2] is not None])
    rows += _stacked("resident memory, idle", "MB", [(t, s, mb) for t in TWINS for s, mb in idle.get(t, {}).items()])
    rows += _stacked("writes of the disk per add", "", [(one.application, "disk", one.writes) for one in costs.disk])
    written = [(one.application, "disk", one.written_kb) for one in costs.disk]
    rows += _stacked("written to the disk per add", "kB", written)
    clients = max((one.clients for one in costs.closed_loops), default=32)
    head = ["twin", "server", "CPU ms", "fsyncs", "kB written", "MB peak", "MB idle"]
    return Section(
        "usage",
        "What an add takes from the machine",
        f"With {counted(clients, 'client')}. All processes of a server together. Written is what a server gives to the "
        "system for its files; what reaches the disk in the end is counted for the whole machine.",
        [
            Table("All servers together", ["", "twin", "sum"], rows, words=2),
            Table("By server, for one add", head, rows_of(*by_server), words=2),
        ],
        _LEGEND,
    )


def _stacked(name: str, unit: str, values: Sequence[tuple[Application, str, float]]) -> Iterable[Row]:
    """Return the sums of what servers take, by twin, with a bar for each server."""
    by_twin = {twin: list(each) for twin, each in groupby(values, key=lambda value: value[0])}
    sums = {twin: sum(value for _, _, value in each) for twin, each in by_twin.items()}
    scale = Linear(sums.values())
    for twin, each in by_twin.items():
        parts = [(_COLOURS.get(server, server), value, f"{server}: {figure(value, unit)}") for _, server, value in each]
        yield Row([name, SHORT[twin], figure(sums[twin], unit)], Plot(scale.chain(parts)))


def _waterfalls(costs: Costs) -> Section:
    scale = Linear(value for one in costs.waterfalls for value in (one.sum_ms, one.total_ms))
    return Section(
        "waterfall",
        "Where the time of one add goes",
        "One client, adding one todo after the other. Each stretch is the median of what was measured; they follow one "
        "another without a gap. Both twins are on one scale. The total was measured in turn with them, without any "
        "tracing.",
        [_waterfall(one, scale) for one in costs.waterfalls],
        {"client": "client", **_LEGEND},
    )


def _waterfall(one: Waterfall, scale: Linear) -> Table:
    bars = scale.chain([(hop.where.lower(), hop.milliseconds, hop.name) for hop in one.hops])
    rows = [
        Row([hop.name, hop.where, figure(hop.milliseconds)], Plot([bar]))
        for hop, bar in zip(one.hops, bars, strict=True)
    ]
    rows.append(Row(["sum", "", figure(one.sum_ms)]))
    rows.append(Row(["total, as the client sees it", "", figure(one.total_ms)], scale.bar(one.total_ms, "total")))
    difference = 100 * (one.sum_ms / one.total_ms - 1)
    note = f"The sum is {figure(abs(difference), '%')} {'more' if difference > 0 else 'less'} than the total."
    details = next((f" In Restate, {hop.detail}." for hop in one.hops if hop.detail), "")
    requests = counted(one.requests, "request")
    return Table(f"{NAMES[one.application]}, {requests}", ["stretch", "in", "ms"], rows, words=2, note=note + details)


def _recovery(costs: Costs) -> Section:
    scale = Linear([RECOVERY_SECONDS * 1.1, *(one.applied_after_seconds for one in costs.recoveries)])
    rows = [
        Row(
            [
                one.killed,
                f"{whole(one.meant_seconds)} s",
                whole(one.in_flight),
                figure(one.applied_after_seconds, "s"),
                *(Judged(whole(number)) if number else whole(number) for number in (one.lost, one.duplicated)),
            ],
            scale.bar(
                one.applied_after_seconds,
                "restate" if one.applied_after_seconds < RECOVERY_SECONDS else "late",
                limit=RECOVERY_SECONDS,
            ),
        )
        for one in sorted(costs.recoveries, key=lambda one: one.killed)
    ]
    tables = [Table("Recovery", ["down", "for", "in flight", "all applied after", "lost", "done twice"], rows, words=2)]
    if drain := costs.drain:
        cells = [whole(drain.operations), figure(drain.seconds, "s"), figure(drain.operations / drain.seconds)]
        head = ["accepted while the service endpoint was down", "all applied after", "a second"]
        tables.append(Table("Drain of a backlog", head, rows_of(cells)))
    return Section(
        "recovery",
        "Recovery",
        "A server is killed while operations are in flight, is down for so long, and is started again. The time counts "
        f"from when it listens until the last of them is applied; the goal is under {chosen(RECOVERY_SECONDS)} s.",
        [table for table in tables if table.rows],
    )


def _growth(costs: Costs) -> Section:
    tables = []
    for what in get_args(GrownPart):
        grown = [one for one in costs.growth if one.what == what]
        scale = Linear(one.per_second for one in grown)
        head = ["twin", what, "adds/s", "p99 ms", *(["list p50 ms", "purge s"] if what == "rows" else [])]
        rows = []
        for one in grown:
            figures = [one.per_second, one.p99_ms, *([one.list_p50_ms, one.purge_seconds] if what == "rows" else [])]
            cells = [SHORT[one.application], whole(one.size), *map(figure, figures)]
            rows.append(Row(cells, scale.bar(one.per_second, one.application)))
        tables.append(Table(f"More {what}", head, rows, words=2))
    clients = max((one.clients for one in costs.closed_loops), default=32)
    intro = (
        f"Adds by {counted(clients, 'client')}. Rows are todos, and as many in the ledger, half of which the purge "
        "deletes. Journals are those of the calls that the Restate server still keeps."
    )
    return Section("growth", "Growth", intro, [table for table in tables if table.rows])
