"""Goals are met or missed as the figures say."""

from typing import Any

import pytest

from tests.costs.command import COSTS
from tests.costs.goals import goals
from tests.costs.records import Costs, Drain, Spread
from tests.costs.show.numbers import NONE

KEPT = Costs.read(COSTS)


def spread(median: float) -> Spread:
    """Return a spread whose rounds differ much: the median counts."""
    return Spread(median=median, low=median / 2, high=median * 2)


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


@pytest.mark.parametrize(
    ("name", "changes", "met"),
    [
        ("p50", ratio("add", 1, p50=spread(2.5)), True),
        ("p50", ratio("add", 1, p50=spread(2.51)), False),
        ("32 clients", ratio("add", 32, throughput=spread(0.6)), True),
        ("32 clients", ratio("add", 32, throughput=spread(0.59)), False),
        # The number of clients at which the Restate twin comes off worst decides.
        ("reads", ratio("list", 8, throughput=spread(0.5)), False),
        ("minimal", {"minimal": spread(0.8)}, True),
        ("minimal", {"minimal": spread(0.79)}, False),
        # The slowest recovery counts, and what is lost or done twice has not recovered.
        ("recovery after any outage", outages(0.2, 0.99), True),
        ("recovery after any outage", outages(0.2, 1.0), False),
        ("recovery after any outage", outages(0.2, lost=1), False),
        ("recovery after any outage", outages(0.2, duplicated=1), False),
        ("drain", {"drain": Drain(operations=1000, seconds=9.9)}, True),
        ("drain", {"drain": Drain(operations=1000, seconds=10)}, False),
        # A smaller backlog has less time.
        ("drain", {"drain": Drain(operations=500, seconds=5.1)}, False),
        ("drain", {"drain": Drain(operations=2000, seconds=11)}, False),
        ("memory", memory(99.9), True),
        ("memory", memory(100), False),
    ],
)
def test_goal(name: str, changes: dict[str, Any], met: bool) -> None:
    """A goal is met up to its limit and missed beyond."""
    (goal,) = (each for each in goals(KEPT.model_copy(update=changes)) if name in each.what)
    assert goal.met is met


@pytest.mark.parametrize(("ratio", "met"), [(1.5, True), (1.49, False), (None, None)])
def test_dbos(ratio: float | None, met: bool | None) -> None:
    """It takes a run of the peers, and is not measured without one."""
    assert next(each for each in goals(KEPT, ratio) if "DBOS" in each.what).met is met


def test_nothing_measured() -> None:
    """A goal for which nothing was measured is neither met nor missed."""
    empty = Costs(started=KEPT.started, seconds=0, machine=KEPT.machine, versions={}, write_path="")
    assert {(each.met, each.measured) for each in goals(empty)} == {(None, NONE)}
