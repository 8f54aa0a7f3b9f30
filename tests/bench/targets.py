"""What was aimed at, held against what was measured. Ratios are of rounds in one run."""

from dataclasses import dataclass

from tests.bench.results import OperationName, Ratio, Results, Spread
from tests.bench.words import NONE, OUTAGES_SECONDS, TIMES, figure, meant, times_and_spread

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
class Target:
    """One line of the table."""

    what: str
    target: str
    measured: str
    met: bool | None
    """None if it was not measured."""

    @property
    def verdict(self) -> str:
        """Say in a word whether it was met."""
        return {True: "met", False: "missed", None: "not measured"}[self.met]


def targets(results: Results, against_dbos: float | None = None) -> list[Target]:
    """Return all targets; `against_dbos` is adds per second of the Restate twin over those of DBOS."""
    alone, together = _ends(results, "add")
    return [
        _at_most("durable add, 1 client, p50 against plain", ADD_P50, alone.p50 if alone else None),
        _at_least(
            f"durable adds per second, {together.clients if together else 32} clients, against plain",
            ADD_THROUGHPUT,
            together.throughput if together else None,
        ),
        _against_dbos(against_dbos),
        _reads(results),
        _at_least("plain twin against a minimal Flask and psycopg2 insert", AGAINST_MINIMAL, results.minimal),
        _recovery(results),
        _drain(results),
        _idle_memory(results),
    ]


def _ends(results: Results, operation: OperationName) -> tuple[Ratio | None, Ratio | None]:
    """Return the ratios of an operation with the fewest and the most clients."""
    found = sorted((r for r in results.ratios if r.operation == operation), key=lambda ratio: ratio.clients)
    return (found[0], found[-1]) if found else (None, None)


def _at_most(what: str, limit: float, spread: Spread | None) -> Target:
    met = None if spread is None else spread.median <= limit
    return Target(what, f"at most {limit:g} {TIMES}", _spread(spread), met)


def _at_least(what: str, limit: float, spread: Spread | None) -> Target:
    met = None if spread is None else spread.median >= limit
    return Target(what, f"at least {limit:g} {TIMES}", _spread(spread), met)


def _spread(spread: Spread | None) -> str:
    return times_and_spread(spread) if spread else NONE


def _against_dbos(ratio: float | None) -> Target:
    what, target = "the same against DBOS", f"at least {AGAINST_DBOS:g} {TIMES}"
    if ratio is None:
        return Target(what, target, NONE, None)
    # In a run of its own: the two of them alternate there, with the other peers.
    return Target(what, target, f"{figure(ratio)} {TIMES} (make bench-peers)", ratio >= AGAINST_DBOS)


def _reads(results: Results) -> Target:
    """Judge the number of clients at which the Restate twin comes off worst."""
    found = [ratio for ratio in results.ratios if ratio.operation == "list"]
    worst = min(found, key=lambda ratio: ratio.throughput.median, default=None)
    target = _at_least("reads against plain", READS, worst.throughput if worst else None)
    if worst is None:
        return target
    clients = "1 client" if worst.clients == 1 else f"{worst.clients} clients"
    return Target(target.what, target.target, f"{target.measured}, worst with {clients}", target.met)


def _recovery(results: Results) -> Target:
    longest = max((meant(one.outage_seconds) for one in results.recoveries), default=OUTAGES_SECONDS[-1])
    what = f"recovery after any outage up to {longest} s"
    target = f"under {RECOVERY_SECONDS:g} s after the process listens"
    if not results.recoveries:
        return Target(what, target, NONE, None)
    worst = max(results.recoveries, key=lambda one: one.applied_after_seconds)
    lost, duplicated = sum(one.lost for one in results.recoveries), sum(one.duplicated for one in results.recoveries)
    measured = f"{figure(worst.applied_after_seconds)} s at most ({worst.target}, {meant(worst.outage_seconds)} s)"
    if lost or duplicated:
        # What never comes, or comes twice, has not recovered at all.
        return Target(what, target, f"{measured}, {lost} lost, {duplicated} duplicated", False)
    return Target(what, target, measured, worst.applied_after_seconds < RECOVERY_SECONDS)


def _drain(results: Results) -> Target:
    what, target = f"drain of {DRAIN_OPERATIONS:,} waiting operations", f"under {DRAIN_SECONDS:g} s"
    drain = results.drain
    if drain is None:
        return Target(what, target, NONE, None)
    # A smaller backlog is held against its share.
    limit = DRAIN_SECONDS * drain.operations / DRAIN_OPERATIONS
    return Target(
        what, target, f"{figure(drain.seconds)} s for {drain.operations:,}", drain.seconds < min(limit, DRAIN_SECONDS)
    )


def _idle_memory(results: Results) -> Target:
    what, target = "resident memory of the whole Restate twin, idle", f"under {IDLE_MEMORY_MB:g} MB"
    servers = results.idle_memory_mb.get("restate")
    if not servers:
        return Target(what, target, NONE, None)
    total = sum(servers.values())
    return Target(what, target, f"{figure(total)} MB", total < IDLE_MEMORY_MB)
