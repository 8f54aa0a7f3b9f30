"""Goals are met or missed as the figures say."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.costs.command import COSTS
from tests.costs.goals import Goal, goals
from tests.costs.records import Costs, Drain, Recovery, Spread
from tests.costs.show.numbers import NONE, TIMES

KEPT = Costs.read(COSTS)


def goal(name: str, against_dbos: float | None = None, **changes: Any) -> Goal:  # noqa: ANN401 - of any field
    """Return a goal by the word that tells it apart, for the kept run with some fields changed."""
    (found,) = (each for each in goals(KEPT.model_copy(update=changes), against_dbos) if name in each.what)
    return found


def spread(median: float) -> Spread:
    """Return a spread whose rounds differ much."""
    return Spread(median=median, low=median / 2, high=median * 2)


def with_ratio(request: str, clients: int, field: str, median: float) -> dict[str, Any]:
    """Return the change of one ratio."""
    return {
        "ratios": [
            one.model_copy(update={field: spread(median)}) if (one.request, one.clients) == (request, clients) else one
            for one in KEPT.ratios
        ]
    }


@pytest.mark.parametrize(("p50", "met"), [(2.5, True), (2.51, False)])
def test_latency(p50: float, met: bool) -> None:
    """The time of one client's add is held against the plain one's: the median of the rounds counts."""
    assert goal("p50", **with_ratio("add", 1, "p50", p50)).met is met


@pytest.mark.parametrize(("throughput", "met"), [(0.6, True), (0.59, False)])
def test_throughput(throughput: float, met: bool) -> None:
    """The throughput of the most clients is held against the plain one's."""
    assert goal("32 clients", **with_ratio("add", 32, "throughput", throughput)).met is met


def test_reads() -> None:
    """The number of clients at which the Restate twin comes off worst decides."""
    worst = goal("reads", **with_ratio("list", 8, "throughput", 0.5))
    assert (worst.met, worst.measured) == (False, f"0.50 {TIMES} (0.25 to 1.00), worst with 8 clients")


@pytest.mark.parametrize(("ratio", "met"), [(1.5, True), (1.49, False), (None, None)])
def test_dbos(ratio: float | None, met: bool | None) -> None:
    """It takes a run of the peers, and is not measured without one."""
    assert goal("DBOS", ratio).met is met


@pytest.mark.parametrize(("ratio", "met"), [(0.8, True), (0.79, False)])
def test_plain_twin(ratio: float, met: bool) -> None:
    """The plain twin is held against a minimal insert."""
    assert goal("minimal", minimal=spread(ratio)).met is met


def outage(after: float, **fields: int) -> Recovery:
    """Return an outage after which everything was applied so late."""
    found = {"lost": 0, "duplicated": 0, "meant_seconds": 300, "in_flight": 50, **fields}
    return Recovery(killed="database", outage_seconds=300.4, applied_after_seconds=after, **found)


@pytest.mark.parametrize(
    ("recoveries", "met"),
    [
        ([outage(0.2), outage(0.99)], True),
        ([outage(0.2), outage(1.0)], False),
        ([outage(0.2), outage(0.2, lost=1)], False),
        ([outage(0.2, duplicated=1), outage(0.2)], False),
    ],
)
def test_recovery(recoveries: Sequence[Recovery], met: bool) -> None:
    """The slowest recovery counts, and what is lost or done twice has not recovered."""
    assert goal("recovery after any outage up to 300 s", recoveries=recoveries).met is met


@pytest.mark.parametrize(
    ("operations", "seconds", "met"), [(1000, 9.9, True), (1000, 10, False), (500, 5.1, False), (2000, 11, False)]
)
def test_drain(operations: int, seconds: float, met: bool) -> None:
    """A backlog that is smaller than the goal's has less time."""
    assert goal("drain", drain=Drain(operations=operations, seconds=seconds)).met is met


@pytest.mark.parametrize(("last", "met"), [(99.9, True), (100.0, False)])
def test_memory(last: float, met: bool) -> None:
    """All servers of the Restate twin count, the database too; the plain twin's do not."""
    memory = {"basic": {"db": 5000.0}, "restate": {"flask-todo-restate": 200.0, "restate": 400.0, "db": last}}
    assert goal("memory", idle_memory_mb=memory).met is met


def test_nothing_measured() -> None:
    """A goal for which nothing was measured is neither met nor missed."""
    empty = Costs(started=KEPT.started, seconds=0, machine=KEPT.machine, versions={}, write_path="")
    assert {(each.met, each.measured) for each in goals(empty)} == {(None, NONE)}
