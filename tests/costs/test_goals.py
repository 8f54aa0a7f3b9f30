"""A goal is met up to its limit, and missed beyond."""

import re
from typing import Any

import pytest

from tests.costs.changed_costs import (
    EMPTY,
    KEPT,
    confident,
    in_turn,
    memory,
    outages,
    pages,
    ratio,
    spread,
    steady,
    usage,
)
from tests.costs.command import PEER_COSTS
from tests.costs.goals import goals
from tests.costs.peers.records import PeerCosts
from tests.costs.records import Drain
from tests.costs.show.numbers import NONE, TIMES

PEERS_KEPT = PeerCosts.read(PEER_COSTS)


@pytest.mark.parametrize(
    ("name", "changes", "met"),
    [
        ("in turn", in_turn(4.6, 2), True),
        ("in turn", in_turn(4.61, 2), False),
        ("one after the other", in_turn(4.6, 2), True),
        ("one after the other", in_turn(4.6, 1.99), False),
        ("processor", usage(plain=2, noop=2, restate=4.6), True),
        ("processor", usage(plain=2, noop=2, restate=4.61), False),
        ("durable adds per second", ratio("add", 32, throughput=spread(0.65)), True),
        ("durable adds per second", ratio("add", 32, throughput=spread(0.64)), False),
        ("pages of 100", pages(435), True),
        ("pages of 100", pages(434), False),
        ("minimal", {"minimal": spread(0.6)}, True),
        ("minimal", {"minimal": spread(0.59)}, False),
        # The slowest recovery counts, and what is lost or done twice has not recovered.
        ("recovery after any outage", outages(0.2, 0.99), True),
        ("recovery after any outage", outages(0.2, 1.0), False),
        ("recovery after any outage", outages(0.2, lost=1), False),
        ("recovery after any outage", outages(0.2, duplicated=1), False),
        ("drain", {"drains": [Drain(operations=1000, seconds=4.9)]}, True),
        ("drain", {"drains": [Drain(operations=1000, seconds=5)]}, False),
        # A smaller backlog has less time.
        ("drain", {"drains": [Drain(operations=500, seconds=2.6)]}, False),
        ("drain", {"drains": [Drain(operations=2000, seconds=6)]}, False),
        ("memory", memory(99.9), True),
        ("memory", memory(100), False),
    ],
)
def test_goal(name: str, changes: dict[str, Any], met: bool) -> None:
    """A goal is met up to its limit and missed beyond."""
    (goal,) = (one.cells for one in goals(KEPT.model_copy(update=changes)) if name in str(one.cells[0]))
    assert str(goal[3]) == ("met" if met else "missed")


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        # As many as with fewer clients, and a loss of a twentieth would have been seen.
        ("pages a second", pages(435, confident(0.95, 1)), "met"),
        ("pages a second", pages(435, confident(0.949, 1)), "undecided"),
        ("pages a second", pages(435, confident(0.95, 0.999)), "missed"),
        # What is sure counts before the median.
        ("pages a second", pages(435, confident(0.99, 0.999), confident(0.8, 1.1), confident(1.2, 1.3)), "missed"),
        ("pages a second", pages(435, confident(1, 1.1), confident(0.8, 1.1)), "undecided"),
        # A few rounds say nothing, however they are.
        ("pages a second", pages(435, steady(2)), "undecided"),
        ("reads", {"reads": confident(0.97, 1)}, "met"),
        ("reads", {"reads": confident(0.969, 1)}, "undecided"),
        ("reads", {"reads": confident(0.9, 0.969)}, "missed"),
    ],
)
def test_lists(name: str, changes: dict[str, Any], expected: str) -> None:
    """Lists are judged by where the median surely is, of the worst; what may be on either side is undecided."""
    (goal,) = (one.cells for one in goals(KEPT.model_copy(update=changes)) if name in str(one.cells[0]))
    assert str(goal[3]) == expected


@pytest.mark.parametrize(
    ("adds", "p50", "expected"),
    [
        (350, 5, ["met", "met", "met", "met"]),
        (349, 5, ["missed", "met", "met", "met"]),
        # Their best turn against its worst one, of each.
        (89, 5, ["missed", "missed", "missed", "met"]),
        (350, 20, ["met", "met", "met", "missed"]),
    ],
)
def test_against_peers(adds: float, p50: float, expected: list[str]) -> None:
    """It takes a run of the peers, and is not measured without one, or without one of them."""
    others = {"p50_ms": steady(10), "adds_per_second": steady(100)}
    own = {"p50_ms": steady(p50), "adds_per_second": steady(adds)}
    rows = [one.model_copy(update=own if one.name == "restate" else others) for one in PEERS_KEPT.rows]

    def verdicts(peers: PeerCosts | None) -> list[str]:
        return [str(one.cells[3]) for one in goals(KEPT, peers) if re.search("DBOS|outbox", str(one.cells[0]))]

    assert verdicts(PEERS_KEPT.model_copy(update={"rows": rows})) == expected
    some = [one for one in rows if one.name != "celery"]
    assert verdicts(PEERS_KEPT.model_copy(update={"rows": some}))[2:] == ["not measured"] * 2
    assert verdicts(None) == ["not measured"] * 4


def test_near_the_limit() -> None:
    """A ratio that would look like its limit, and is not, has more digits."""
    (goal,) = (one.cells for one in goals(KEPT.model_copy(update=in_turn(4.604, 2))) if "in turn" in str(one.cells[0]))
    assert (goal[2], str(goal[3])) == (f"1.1510 {TIMES}", "missed")


def test_nothing_measured() -> None:
    """A goal for which nothing was measured is neither met nor missed."""
    assert {(str(one.cells[3]), one.cells[2]) for one in goals(EMPTY)} == {("not measured", NONE)}
