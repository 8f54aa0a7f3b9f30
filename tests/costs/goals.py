"""What was aimed at, held against what was measured. Ratios are of rounds in one run."""

import math
import operator
from collections.abc import Iterable, Iterator

from tests.costs.floor import over_floor, over_floor_alone
from tests.costs.peers.records import PeerCosts
from tests.costs.records import Costs, Drain
from tests.costs.show.numbers import NONE, TIMES, figure, ratio, ratio_of_rounds
from tests.costs.show.tables import Judged, Row
from tests.costs.spread import Spread
from tests.support.page import counted
from todo_stack.twins import RESTATE

UNSEEN = 0.05
"""How much fewer pages more clients may get without its being seen. They can at best get as many: see the README."""

RECOVERY_SECONDS = 1.0
DRAIN_OPERATIONS, DRAIN_SECONDS = 1000, 5.0

_WORST_FIRST = ("missed", "undecided", "met")

_MEETS = {"at most": operator.le, "at least": operator.ge, "under": operator.lt, "above": operator.gt}


def goals(costs: Costs, peers: PeerCosts | None = None) -> list[Row]:
    """Return a line for each of them; those against others are of a run of the peers, in which they take turns."""
    together = costs.ratio("add", most=True)
    clients = counted(together.clients if together else 32, "client")
    memory = sum(costs.idle_memory_mb.get(RESTATE.key, {}).values()) or None
    floors = [
        ("durable add, 1 client, p50 against plain add and no-op step, in turn", over_floor(costs)),
        ("the same, many of each one after the other", over_floor_alone(costs)),
    ]
    cpu, adds = costs.cpu_over_floor, together.throughput if together else None
    return [
        *(_of_ratio(what, "at most", 1.15, over) for what, over in floors),
        _of_ratio(f"processor time of a durable add, {clients}, against both", "at most", 1.15, cpu),
        _of_rounds(f"durable adds per second, {clients}, against plain", "at least", 0.65, adds),
        *_against(peers),
        _of_lists(f"reads against plain{costs.where_lists}", 0.97, _reads(costs)),
        *_pages(costs),
        _of_rounds("plain twin against a minimal Flask and psycopg2 insert", "at least", 0.6, costs.minimal),
        _recovery(costs),
        _drain(next(iter(costs.drains), None)),
        _goal("resident memory of the whole Restate twin, idle", "under", 700, "MB", memory, figure(memory, "MB")),
    ]


def _reads(costs: Costs) -> Iterator[tuple[Spread, str]]:
    if costs.reads:
        shared = [one.throughput.median for one in costs.ratios if one.request == "list" and costs.lists_pinned]
        more = f"; on shared cores {ratio(min(shared))} to {ratio(max(shared))}" if shared else ""
        yield costs.reads, f"all clients{more}"


def _pages(costs: Costs) -> Iterator[Row]:
    """Return what is aimed at for pages of the list, of the twin that comes off worse."""
    lists = [one for one in costs.closed_loops if (one.request, one.clients) == ("list", 8)]
    slower = min(lists, key=lambda one: one.per_second.median, default=None)
    a_second = slower.per_second.median if slower else None
    measured = f"{figure(a_second)} ({slower.application})" if slower else NONE
    yield _goal("pages of 100 todos, 8 clients, each twin", "at least", 435, "a second", a_second, measured)
    more = _more_clients(costs)
    yield _of_lists(f"pages a second, more clients against fewer{costs.where_lists}", 1, more, unseen=UNSEEN)


def _more_clients(costs: Costs) -> Iterator[tuple[Spread, str]]:
    lists = [one for one in costs.closed_loops if one.request == "list" and costs.lists_pinned]
    on_shared_cores = {(one.application, one.clients): one.per_second.median for one in lists}
    for one in costs.more_clients:
        more, fewer = (on_shared_cores.get((one.application, clients)) for clients in (one.clients, one.fewer))
        beside = f"; on shared cores {ratio(more / fewer)}" if more and fewer else ""
        yield one.throughput, f"{one.application}, {one.clients} over {counted(one.fewer, 'client')}{beside}"


def _of_lists(what: str, limit: float, found: Iterable[tuple[Spread, str]], unseen: float = 0) -> Row:
    """Return what is aimed at for ratios of lists, of the worst of these, each with what it is of.

    They are near the goal, and the median of some rounds is below that of all such rounds every other time. So a goal
    is met by what surely reaches it, missed by what surely does not, and undecided between. What can at best be as much
    as the limit never surely reaches it: it is met if nothing is seen to be less, and less by `unseen` would be.
    """
    judged = []
    for spread, of in found:
        low, high = spread.interval or (-math.inf, math.inf)
        reached = "met" if low >= limit - unseen and high >= limit else "missed" if high < limit else "undecided"
        judged.append((_WORST_FIRST.index(reached), spread.median, spread, of))
    if not judged:
        return _goal(what, "at least", limit, TIMES, None, NONE)
    rank, _, worst, of = min(judged, key=lambda one: one[:2])
    confident = "95 % confidence: {:.3f} to {:.3f}".format(*worst.interval) if worst.interval else "few rounds"
    verdict = Judged(_WORST_FIRST[rank], ("bad", "unknown", "good")[rank])
    surely = f", surely no less than {limit - unseen:g} {TIMES}" if unseen else ""
    return Row([what, f"at least {limit:g} {TIMES}{surely}", f"{ratio(worst.median)} ({confident}), {of}", verdict])


def _against(peers: PeerCosts | None) -> Iterator[Row]:
    """Return what is aimed at against others; to be ahead is to be so in the worst turn against their best one."""
    rows = {row.name: row for row in peers.rows} if peers else {}
    own = rows.get(RESTATE.key)
    adds = {
        name: own.adds_per_second.median / rows[name].adds_per_second.median if own and name in rows else None
        for name in ("dbos", "outbox")
    }
    yield _of_peers("adds per second against DBOS", "at least", 3.5, adds["dbos"])
    yield _of_peers("adds per second against an outbox by hand", "at least", 0.9, adds["outbox"])
    rivals = ("dbos", "temporal", "celery")
    ahead = [rows[name] for name in rivals] if own and rows.keys() >= set(rivals) else []
    more = {row.name: own.adds_per_second.low / row.adds_per_second.high for row in ahead if own}
    faster = {row.name: row.p50_ms.low / own.p50_ms.high for row in ahead if own}
    for what, found in (("adds per second", more), ("p50", faster)):
        worst = min(found, key=lambda name: found[name], default="")
        yield _of_peers(
            f"ahead of DBOS, Temporal and Celery in {what}, worst turn", "above", 1, found.get(worst), f"{worst}, "
        )


def _of_peers(what: str, how: str, limit: float, found: float | None, note: str = "") -> Row:
    return _of_ratio(what, how, limit, found, f" ({note}make bench-peers)")


def _of_ratio(what: str, how: str, limit: float, found: float | None, note: str = "") -> Row:
    # With more digits where it would look like the limit.
    looks_like_it = found not in (None, limit) and ratio(found or 0) == ratio(limit)
    return _goal(
        what, how, limit, TIMES, found, (f"{found:.4f} {TIMES}" if looks_like_it else ratio(found or 0)) + note
    )


def _goal(what: str, how: str, limit: float, unit: str, value: float | None, measured: str) -> Row:
    aim = f"{how} {limit:g} {unit}"
    if value is None:
        return Row([what, aim, NONE, Judged("not measured", "unknown")])
    return Row([what, aim, measured, Judged("met", "good") if _MEETS[how](value, limit) else Judged("missed")])


def _of_rounds(what: str, how: str, limit: float, found: Spread | None, note: str = "") -> Row:
    return _goal(what, how, limit, TIMES, found.median if found else None, ratio_of_rounds(found) + note)


def _recovery(costs: Costs) -> Row:
    longest = max((one.meant_seconds for one in costs.recoveries), default=300)
    worst = max(costs.recoveries, key=lambda one: one.applied_after_seconds, default=None)
    seconds = worst.applied_after_seconds if worst else None
    measured = f"{figure(seconds, 's')} at most ({worst.killed}, {worst.meant_seconds:,} s)" if worst else NONE
    lost, duplicated = costs.lost_and_duplicated
    if lost or duplicated:
        # What never comes, or comes twice, has not recovered at all.
        seconds, measured = math.inf, f"{measured}, {lost:,} lost, {duplicated:,} duplicated"
    unit = "s after the process listens"
    return _goal(f"recovery after any outage up to {longest:,} s", "under", RECOVERY_SECONDS, unit, seconds, measured)


def _drain(drain: Drain | None) -> Row:
    # A smaller backlog is held against its share.
    seconds = drain.seconds / min(1, drain.operations / DRAIN_OPERATIONS) if drain else None
    measured = f"{figure(drain.seconds, 's')} for {drain.operations:,}" if drain else NONE
    return _goal(f"drain of {DRAIN_OPERATIONS:,} waiting operations", "under", DRAIN_SECONDS, "s", seconds, measured)
