"""What was aimed at, held against what was measured. Ratios are of rounds in one run."""

import math
import operator

from tests.costs.records import Costs, Drain, Spread
from tests.costs.show.numbers import NONE, TIMES, figure, ratio, ratio_of_rounds
from tests.costs.show.tables import Judged, Row
from tests.support.page import counted
from todo_stack.twins import RESTATE

RECOVERY_SECONDS = 1.0
DRAIN_OPERATIONS = 1000

_MEETS = {"at most": operator.le, "at least": operator.ge, "under": operator.lt}


def goals(costs: Costs, against_dbos: float | None = None) -> list[Row]:
    """Return a line for each of them; `against_dbos` is adds per second of the Restate twin over those of DBOS."""
    alone, together = costs.ratio("add", most=False), costs.ratio("add", most=True)
    clients = counted(together.clients if together else 32, "client")
    # The number of clients at which the Restate twin comes off worst.
    lists = [one for one in costs.ratios if one.request == "list"]
    reads = min(lists, key=lambda one: one.throughput.median, default=None)
    reads_with = f", worst with {counted(reads.clients, 'client')}" if reads else ""
    memory = sum(costs.idle_memory_mb.get(RESTATE.key, {}).values()) or None
    # In a run of its own: the two of them alternate there, with the other peers.
    dbos = f"{ratio(against_dbos or 0)} (make bench-peers)"
    return [
        _of_rounds("durable add, 1 client, p50 against plain", "at most", 2.5, alone.p50 if alone else None),
        _of_rounds(
            f"durable adds per second, {clients}, against plain",
            "at least",
            0.6,
            together.throughput if together else None,
        ),
        _goal("the same against DBOS", "at least", 1.5, TIMES, against_dbos, dbos),
        _of_rounds("reads against plain", "at least", 0.97, reads.throughput if reads else None, reads_with),
        _of_rounds("plain twin against a minimal Flask and psycopg2 insert", "at least", 0.8, costs.minimal),
        _recovery(costs),
        _drain(costs.drain),
        _goal("resident memory of the whole Restate twin, idle", "under", 700, "MB", memory, figure(memory, "MB")),
    ]


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
    return _goal(f"drain of {DRAIN_OPERATIONS:,} waiting operations", "under", 10, "s", seconds, measured)
