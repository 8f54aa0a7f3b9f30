"""The table of the peers, for the page, the terminal and the README."""

from collections.abc import Iterator

from tests.costs.floor import durable_add, over_floor
from tests.costs.peers.records import ABOUT, PeerCost, PeerCosts
from tests.costs.records import Costs
from tests.costs.show.numbers import NONE, figure, measured_on, ratio
from tests.costs.show.tables import Judged, Linear, Plot, Row, Section, Table, TableCell, harm
from tests.support.burst import CLIENTS
from tests.support.control import COMPARED
from tests.support.history import Verdict
from tests.support.page import counted
from todo_stack.twins import RESTATE

_VERSIONS = ("PostgreSQL", "Restate", "dbos", "celery", "redis-server", "temporal", "Python", "Flask")
_COLOURS = {"web": "web", "service": "more servers", "database": "PostgreSQL"}
_TAKES = ["the add with", *_COLOURS.values(), "all"]
_COULD_BE = ["", "as it is", "at least", "floor"]
_LEAST = (
    "What it does against them, and what it would if an add took the processor time that it could come to, by the "
    "parts of make bench: where the cores are busy, that decides. At least: its floor in one piece, and the "
    "least of what that lacks. The p50 at its floor is by the adds in turn."
)
_TWINS = [twin.key for twin in COMPARED]
_NOT_TOLD = (Verdict.GHOST, Verdict.NOT_APPLIED, Verdict.REFUSED)


def section(costs: PeerCosts, bench: Costs | None = None) -> Section:
    """Return the tables, what they were measured on, what is not comparable, and who is missing.

    `bench` tells what a durable add could come to.
    """
    head = ["the add with", "more servers", "lines", "p50 ms", "adds/s", "LOST", "DUPLICATED", "not told"]
    against_dbos = costs.against_dbos
    note = f"flask-todo-restate does {ratio(against_dbos)} the adds of DBOS." if against_dbos else ""
    return Section(
        "peers",
        "What you might pick instead",
        _explanation(costs),
        [
            Table("One add, made durable", head, [Row(_cells(row)) for row in costs.rows], words=2, note=note),
            Table("Processor time of one add, in ms", _TAKES, [*_taken(costs)]),
            *(_against(costs, bench) if bench else []),
            *_other_operations(costs),
        ],
        _COLOURS,
        notes=[
            *(
                (one.title, f"Its promise rests on {one.durable}. Killed was {one.killed}. {one.not_comparable}")
                for one in (ABOUT[row.name] for row in costs.rows)
            ),
            *((f"{title} is missing", reason) for title, reason in costs.skipped.items()),
        ],
    )


def _taken(costs: PeerCosts) -> Iterator[Row]:
    """Return the processor time of each, and where it goes."""
    scale = Linear(sum(row.cpu_ms.values()) for row in costs.rows)
    for row in costs.rows:
        database = row.cpu_ms["db"]
        others = sum(row.cpu_ms[name] for name in row.components)
        whole = sum(row.cpu_ms.values())
        web = whole - others - database
        parts = zip(_COLOURS.items(), (web, others, database), strict=True)
        bars = scale.chain([(css, value, name) for (css, name), value in parts])
        cells = [figure(web), figure(others) if row.components else NONE, figure(database), figure(whole)]
        yield Row([ABOUT[row.name].title, *cells], Plot(bars))


def _against(costs: PeerCosts, bench: Costs) -> list[Table]:
    """Return what the Restate twin does against others, and would do if it took the least, or its floor."""
    others = {row.name: row for row in costs.rows}
    own, durable = others.pop(RESTATE.key, None), durable_add(bench)
    if not (own and durable and (above := over_floor(bench))):
        return []
    rows = []
    for row in others.values():
        if row.name not in _TWINS:
            title, adds = ABOUT[row.name].title, own.adds_per_second.median / row.adds_per_second.median
            p50 = row.p50_ms.median / own.p50_ms.median
            rows += [
                Row([f"adds a second over {title}", *(ratio(adds * durable.is_now / each) for each in durable)]),
                Row([f"p50 of {title} over its own", ratio(p50), NONE, ratio(p50 * above)]),
            ]
    return [Table("What it could come to against others", _COULD_BE, rows, note=_LEAST)]


def _other_operations(costs: PeerCosts) -> list[Table]:
    """Return the table of what the sketches do not do, or none if it was not measured."""
    if not costs.operations:
        return []
    rows = [
        Row([one.operation, ABOUT[one.name].title, figure(one.p50_ms.median), figure(one.per_second.median)])
        for one in costs.operations
    ]
    note = (
        f"p50 is that of one client, the last column that of {costs.clients}. The sketches only add. To pay is two "
        "transactions, with a call of the provider between them: a server on the same machine, the same for all."
    )
    return [Table("Delete, and pay a bounty", ["operation", "with", "p50 ms", "a second"], rows, words=2, note=note)]


def _explanation(costs: PeerCosts) -> str:
    # The same for all contestants.
    ((operations, kills),) = {(row.kills.operations, row.kills.kills) for row in costs.rows}
    return (
        "The same route, table and PostgreSQL, and for each "
        f"{counted(costs.web_workers, 'web process', 'web processes')} with {costs.web_threads} threads where it "
        f"does the write itself, and {costs.waiting_threads} where it waits for another process. Lines: of code, for "
        f"the add alone. p50 is that of one client, adds/s those of {costs.clients}. The last three columns "
        f"are of {operations:,} other adds from {CLIENTS} clients, while the process that writes was "
        f"killed (SIGKILL) {counted(kills, 'time')}; nobody asked twice. Not told: the client got an error or no "
        f"answer. {measured_on(costs, _VERSIONS)}"
    )


def _cells(row: PeerCost) -> list[TableCell]:
    verdicts = row.kills.verdicts
    lost, stuck = (verdicts.get(verdict, 0) for verdict in (Verdict.LOST, Verdict.STUCK))
    return [
        ABOUT[row.name].title,
        ", ".join(row.components) or "none",
        str(sum(row.code.values())),
        figure(row.p50_ms.median),
        figure(row.adds_per_second.median),
        Judged(f"{lost:,}, {stuck:,} stuck") if stuck else harm(lost),
        harm(verdicts.get(Verdict.DUPLICATED, 0)),
        str(sum(verdicts.get(verdict, 0) for verdict in _NOT_TOLD)),
    ]
