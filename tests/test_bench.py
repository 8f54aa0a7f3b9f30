"""The load of make bench does what it claims: every request counts, and every contestant starts with the same rows."""

from pathlib import Path

import pytest

from tests.bench import throughput, usage
from tests.bench.arena import OPERATIONS, ROWS, SERVERS, TWINS, Arena
from tests.bench.load import put_load
from tests.bench.minimal import minimal
from tests.bench.results import Contestant
from tests.lab.database import execute
from todo_stack.stack import Stack

PLAN = throughput.Plan(
    clients=(2,),
    rounds=1,
    seconds=dict.fromkeys(OPERATIONS, 0.15),
    warm_up_seconds=0.1,
    open_seconds=dict.fromkeys(OPERATIONS, 0.3),
    open_slices=1,
)


@pytest.fixture
def arena(stack: Stack, request: pytest.FixtureRequest) -> Arena:
    """Both twins, as processes of this machine."""
    if request.config.getoption("--stack") == "containers":
        pytest.skip("make bench measures processes of this machine")
    return Arena.of_twins(stack)


def rows(arena: Arena, contestant: Contestant) -> int:
    """Count the todos of a contestant."""
    ((counted,),) = execute(arena.databases[contestant], "SELECT count(*) FROM todo")
    return int(counted)


@pytest.mark.parametrize("contestant", TWINS)
def test_every_request_is_done(arena: Arena, contestant: Contestant) -> None:
    """Each counted add is a row more, and each counted deletion a row less, of its own."""
    request = arena.prepare(contestant, "add", 0)
    assert rows(arena, contestant) == ROWS
    added = put_load(arena.urls[contestant], request, clients=4, seconds=20, stop_after=20)
    assert (len(added.milliseconds), rows(arena, contestant)) == (20, ROWS + 20)

    request = arena.prepare(contestant, "delete", 20)
    deleted = put_load(arena.urls[contestant], request, clients=4, seconds=20, stop_after=20)
    assert (len(deleted.milliseconds), rows(arena, contestant)) == (20, ROWS)


def test_everything_is_measured(arena: Arena, tmp_path: Path) -> None:
    """Both twins are measured at every operation, in both loops and at one rate, and all three at adding."""
    steps: list[str] = []
    with minimal(arena, tmp_path, lambda _name, _line: None) as everyone:
        assert PLAN.samples(everyone) == 8 + 9 + 8
        measured = throughput.measure(everyone, PLAN, steps.append)
    assert len(steps) == PLAN.samples(everyone)
    twins = [(twin, operation) for operation in OPERATIONS for twin in TWINS]
    assert sorted((one.contestant, one.operation) for one in measured.closed) == sorted([*twins, ("minimal", "add")])
    assert sorted((one.contestant, one.operation) for one in measured.open) == sorted(twins)
    assert [ratio.operation for ratio in measured.ratios] == list(OPERATIONS)
    assert all(one.requests and one.per_second.median > 0 for one in measured.closed)
    assert len({(one.operation, one.rate) for one in measured.open}) == len(OPERATIONS)
    assert measured.minimal is not None


def test_usage_is_of_all_servers(arena: Arena) -> None:
    """Every server takes time and memory for an add, and each durable one syncs its log for it."""
    usages, _ = usage.measure(arena, clients=2, seconds=0.5, step=lambda _what: None)
    assert [(one.contestant, one.server) for one in usages] == [(t, server) for t in TWINS for server in SERVERS[t]]
    assert all(one.cpu_ms > 0 and one.peak_memory_mb > 0 for one in usages)
    synced = {(one.contestant, one.server): one.fsyncs for one in usages if one.fsyncs is not None}
    assert set(synced) == {("basic", "db"), ("restate", "db"), ("restate", "restate")}
    # Two clients can share one, and no more.
    assert all(number >= 0.4 for number in synced.values())
    idle = usage.idle_memory(arena)
    assert all(idle[twin][server] > 1 for twin in TWINS for server in SERVERS[twin])
