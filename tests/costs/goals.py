"""What was aimed at, held against what was measured. Ratios are of rounds in one run."""

from typing import NamedTuple

from tests.costs.records import Costs, Spread
from tests.costs.show.numbers import NONE, TIMES, counted, figure, ratio, ratio_of_rounds
from todo_stack.twins import RESTATE

ADD_P50 = 2.5
ADD_THROUGHPUT = 0.6
AGAINST_DBOS = 1.5
READS = 0.97
AGAINST_MINIMAL = 0.8
RECOVERY_SECONDS = 1.0
DRAIN_SECONDS = 10.0
DRAIN_OPERATIONS = 1000
IDLE_MEMORY_MB = 700.0


class Goal(NamedTuple):
    """One of them; `met` is None if it was not measured."""

    what: str
    aim: str
    measured: str = NONE
    met: bool | None = None


def goals(costs: Costs, against_dbos: float | None = None) -> list[Goal]:
    """Return all goals; `against_dbos` is adds per second of the Restate twin over those of DBOS."""
    alone, together = costs.ratio("add", most=False), costs.ratio("add", most=True)
    clients = counted(together.clients if together else 32, "client")
    p50 = Goal("durable add, 1 client, p50 against plain", f"at most {ADD_P50:g} {TIMES}")
    if alone:
        p50 = p50._replace(measured=ratio_of_rounds(alone.p50), met=alone.p50.median <= ADD_P50)
    dbos = _at_least("the same against DBOS", AGAINST_DBOS, None)
    if against_dbos:
        # In a run of its own: the two of them alternate there, with the other peers.
        dbos = dbos._replace(measured=f"{ratio(against_dbos)} (make bench-peers)", met=against_dbos >= AGAINST_DBOS)
    throughput = together.throughput if together else None
    return [
        p50,
        _at_least(f"durable adds per second, {clients}, against plain", ADD_THROUGHPUT, throughput),
        dbos,
        _reads(costs),
        _at_least("plain twin against a minimal Flask and psycopg2 insert", AGAINST_MINIMAL, costs.minimal),
        _recovery(costs),
        _drain(costs),
        _idle_memory(costs),
    ]


def _at_least(what: str, limit: float, measured: Spread | None) -> Goal:
    met = measured.median >= limit if measured else None
    return Goal(what, f"at least {limit:g} {TIMES}", ratio_of_rounds(measured), met)


def _reads(costs: Costs) -> Goal:
    """Judge the number of clients at which the Restate twin comes off worst."""
    lists = [one for one in costs.ratios if one.request == "list"]
    worst = min(lists, key=lambda one: one.throughput.median, default=None)
    goal = _at_least("reads against plain", READS, worst.throughput if worst else None)
    return goal._replace(measured=f"{goal.measured}, worst with {counted(worst.clients, 'client')}") if worst else goal


def _recovery(costs: Costs) -> Goal:
    longest = max((one.meant_seconds for one in costs.recoveries), default=300)
    aim = f"under {RECOVERY_SECONDS:g} s after the process listens"
    goal = Goal(f"recovery after any outage up to {longest:,} s", aim)
    if not costs.recoveries:
        return goal
    worst = max(costs.recoveries, key=lambda one: one.applied_after_seconds)
    measured = f"{figure(worst.applied_after_seconds, 's')} at most ({worst.killed}, {worst.meant_seconds:,} s)"
    lost, duplicated = costs.lost_and_duplicated
    if lost or duplicated:
        # What never comes, or comes twice, has not recovered at all.
        return goal._replace(measured=f"{measured}, {lost:,} lost, {duplicated:,} duplicated", met=False)
    return goal._replace(measured=measured, met=worst.applied_after_seconds < RECOVERY_SECONDS)


def _drain(costs: Costs) -> Goal:
    goal = Goal(f"drain of {DRAIN_OPERATIONS:,} waiting operations", f"under {DRAIN_SECONDS:g} s")
    if not (drain := costs.drain):
        return goal
    # A smaller backlog is held against its share.
    limit = DRAIN_SECONDS * min(1, drain.operations / DRAIN_OPERATIONS)
    measured = f"{figure(drain.seconds, 's')} for {drain.operations:,}"
    return goal._replace(measured=measured, met=drain.seconds < limit)


def _idle_memory(costs: Costs) -> Goal:
    goal = Goal("resident memory of the whole Restate twin, idle", f"under {IDLE_MEMORY_MB:g} MB")
    total = sum(costs.idle_memory_mb.get(RESTATE.key, {}).values())
    return goal._replace(measured=figure(total, "MB"), met=total < IDLE_MEMORY_MB) if total else goal
