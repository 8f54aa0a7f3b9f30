"""Fields of the kept run with one figure changed, for tests."""

from typing import Any

from tests.costs.command import COSTS
from tests.costs.records import Costs, MoreClients
from tests.costs.spread import Spread

KEPT = Costs.read(COSTS)
EMPTY = Costs(started=KEPT.started, seconds=1, machine=KEPT.machine, versions={}, write_path="")


def spread(median: float) -> Spread:
    """Return a spread whose rounds differ much: the median counts."""
    return Spread(median=median, low=median / 2, high=median * 2)


def steady(value: float) -> Spread:
    """Return a spread whose rounds are alike."""
    return Spread(median=value, low=value, high=value)


def usage(**cpu_ms: float) -> dict[str, Any]:
    """Return what one add takes with each of these."""
    kept = KEPT.usage[0]
    return {"usage": [kept.model_copy(update={"application": name, "cpu_ms": ms}) for name, ms in cpu_ms.items()]}


def in_turn(durable: float, alone: float) -> dict[str, Any]:
    """Return what a durable add takes with one client, where its floor takes 4 ms in turn, and twice `alone` else."""
    (kept,) = (one for one in KEPT.waterfalls if one.floor_ms)
    by_name = {
        "floor_ms": {"plain": 1, "noop": 3},
        "alone_ms": {"restate": durable, "plain": alone, "noop": alone, "both": 3 * alone},
    }
    return {"waterfalls": [kept.model_copy(update={"total_ms": durable, **by_name})]}


def confident(low: float, high: float) -> Spread:
    """Return a spread whose rounds differ much, of which the median surely lies between these."""
    return Spread(median=(low + high) / 2, low=0.1, high=10, interval=(low, high))


def pages(a_second: float, *more: Spread) -> dict[str, Any]:
    """Return lists by 8 clients, and how they compare with those by 1, in some twins."""
    loops = [one for one in KEPT.closed_loops if (one.request, one.clients) == ("list", 8)]
    return {
        "closed_loops": [one.model_copy(update={"per_second": spread(a_second)}) for one in loops],
        "more_clients": [
            MoreClients(application="plain", request="list", clients=8, fewer=1, throughput=one) for one in more
        ],
    }


def ratio(request: str, clients: int, **changed: Spread) -> dict[str, Any]:
    """Return the kept ratios with one changed."""
    meant = (request, clients)
    return {
        "ratios": [one.model_copy(update=changed if (one.request, one.clients) == meant else {}) for one in KEPT.ratios]
    }


def outages(*after: float, **harm: int) -> dict[str, Any]:
    """Return outages after which everything was applied so late."""
    kept = KEPT.recoveries[0]
    return {"recoveries": [kept.model_copy(update={"applied_after_seconds": one, **harm}) for one in after]}


def memory(database: float) -> dict[str, Any]:
    """Return the idle memory of servers; the plain twin's does not count."""
    return {"idle_memory_mb": {"plain": {"db": 5000.0}, "restate": {"restate_app": 600.0, "db": database}}}
