"""What was aimed at, held against what was measured. Ratios are of rounds in one run."""

from dataclasses import dataclass

from tests.costs.records import Costs, Spread
from tests.costs.show.numbers import NONE, TIMES, chosen, counted, figure, ratio, ratio_of_rounds, whole

ADD_P50 = 2.5
ADD_THROUGHPUT = 0.6
AGAINST_DBOS = 1.5
READS = 0.97
AGAINST_MINIMAL = 0.8
RECOVERY_SECONDS = 1.0
DRAIN_SECONDS = 10.0
DRAIN_OPERATIONS = 1000
IDLE_MEMORY_MB = 700.0


@dataclass(frozen=True)
class Goal:
    """One of them."""

    what: str
    aim: str
    measured: str = NONE
    met: bool | None = None
    """None if it was not measured."""

    @property
    def verdict(self) -> str:
        """Say in a word whether it was met."""
        return {True: "met", False: "missed", None: "not measured"}[self.met]


def goals(costs: Costs, against_dbos: float | None = None) -> list[Goal]:
    """Return all goals; `against_dbos` is adds per second of the Restate twin over those of DBOS."""
    alone, together = costs.ratio("add", most=False), costs.ratio("add", most=True)
    clients = counted(together.clients if together else 32, "client")
    return [
        _ratio("durable add, 1 client, p50 against plain", alone.p50 if alone else None, at_most=ADD_P50),
        _ratio(
            f"durable adds per second, {clients}, against plain",
            together.throughput if together else None,
            ADD_THROUGHPUT,
        ),
        _against_dbos(against_dbos),
        _reads(costs),
        _ratio("plain twin against a minimal Flask and psycopg2 insert", costs.minimal, AGAINST_MINIMAL),
        _recovery(costs),
        _drain(costs),
        _idle_memory(costs),
    ]


def _ratio(
    what: str, measured: Spread | None, at_least: float = 0, *, at_most: float | None = None, where: str = ""
) -> Goal:
    aim = f"at least {chosen(at_least)} {TIMES}" if at_most is None else f"at most {chosen(at_most)} {TIMES}"
    if measured is None:
        return Goal(what, aim)
    met = measured.median >= at_least if at_most is None else measured.median <= at_most
    return Goal(what, aim, ratio_of_rounds(measured) + where, met)


def _against_dbos(found: float | None) -> Goal:
    goal = Goal("the same against DBOS", f"at least {chosen(AGAINST_DBOS)} {TIMES}")
    # In a run of its own: the two of them alternate there, with the other peers.
    return Goal(goal.what, goal.aim, f"{ratio(found)} (make bench-peers)", found >= AGAINST_DBOS) if found else goal


def _reads(costs: Costs) -> Goal:
    """Judge the number of clients at which the Restate twin comes off worst."""
    lists = [one for one in costs.ratios if one.request == "list"]
    worst = min(lists, key=lambda one: one.throughput.median, default=None)
    where = f", worst with {counted(worst.clients, 'client')}" if worst else ""
    return _ratio("reads against plain", worst.throughput if worst else None, READS, where=where)


def _recovery(costs: Costs) -> Goal:
    longest = max((one.meant_seconds for one in costs.recoveries), default=300)
    what = f"recovery after any outage up to {whole(longest)} s"
    aim = f"under {chosen(RECOVERY_SECONDS)} s after the process listens"
    if not costs.recoveries:
        return Goal(what, aim)
    worst = max(costs.recoveries, key=lambda one: one.applied_after_seconds)
    measured = f"{figure(worst.applied_after_seconds, 's')} at most ({worst.killed}, {whole(worst.meant_seconds)} s)"
    lost, duplicated = sum(one.lost for one in costs.recoveries), sum(one.duplicated for one in costs.recoveries)
    if lost or duplicated:
        # What never comes, or comes twice, has not recovered at all.
        return Goal(what, aim, f"{measured}, {whole(lost)} lost, {whole(duplicated)} duplicated", met=False)
    return Goal(what, aim, measured, worst.applied_after_seconds < RECOVERY_SECONDS)


def _drain(costs: Costs) -> Goal:
    what, aim = f"drain of {whole(DRAIN_OPERATIONS)} waiting operations", f"under {chosen(DRAIN_SECONDS)} s"
    if not (drain := costs.drain):
        return Goal(what, aim)
    # A smaller backlog is held against its share.
    limit = min(DRAIN_SECONDS, DRAIN_SECONDS * drain.operations / DRAIN_OPERATIONS)
    return Goal(what, aim, f"{figure(drain.seconds, 's')} for {whole(drain.operations)}", drain.seconds < limit)


def _idle_memory(costs: Costs) -> Goal:
    what, aim = "resident memory of the whole Restate twin, idle", f"under {chosen(IDLE_MEMORY_MB)} MB"
    if "restate" not in costs.idle_memory_mb:
        return Goal(what, aim)
    total = sum(costs.idle_memory_mb["restate"].values())
    return Goal(what, aim, figure(total, "MB"), total < IDLE_MEMORY_MB)
