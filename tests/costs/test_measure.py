"""What make bench measures is what it claims: every request counts, and each application starts with the same rows."""

import pytest

from tests.costs.measure import load, usage
from tests.costs.measure.all_parts import minimal_app
from tests.costs.measure.extra_servers import ExtraServers
from tests.costs.measure.load_generator import put_load
from tests.costs.measure.running_apps import ROWS, RunningApp, twins_of
from tests.costs.peers import speeds
from tests.costs.peers.contestants import PEERS
from tests.costs.records import MINIMAL, REQUEST_KINDS
from tests.support.control import LEDGER_ONLY
from tests.support.database import execute
from todo_stack.output import no_log
from todo_stack.stack import Stack
from todo_stack.twins import TWINS

SHORT = load.LoadPlan(
    clients=(2,),
    rounds=1,
    seconds=dict.fromkeys(REQUEST_KINDS, 0.15),
    warm_up_seconds=0.1,
    open_seconds=dict.fromkeys(REQUEST_KINDS, 0.3),
    open_slices=1,
)


@pytest.fixture
def twins(stack: Stack, request: pytest.FixtureRequest) -> list[RunningApp]:
    """Both twins, as processes of this machine."""
    if request.config.getoption("--stack") == "containers":
        pytest.skip("make bench measures processes of this machine")
    return twins_of(stack)


@pytest.mark.parametrize("number", range(len(TWINS)), ids=map(str, TWINS))
@pytest.mark.whole
def test_every_request_is_done(twins: list[RunningApp], number: int) -> None:
    """Each counted add is a row more, each counted deletion a row less, and each counted payment one charge."""
    twin = twins[number]

    def rows() -> int:
        return int(execute(twin.database, "SELECT count(*) FROM todo")[0][0])

    add = twin.prepare("add")
    assert rows() == ROWS
    added = put_load(twin.url, add, clients=4, seconds=20, stop_after=20)
    assert (len(added.milliseconds), rows()) == (20, ROWS + 20)

    deleted = put_load(twin.url, twin.prepare("delete", 20), clients=4, seconds=20, stop_after=20)
    assert (len(deleted.milliseconds), rows()) == (20, ROWS)

    paid = put_load(twin.url, twin.prepare("pay", 20), clients=4, seconds=20, stop_after=20)
    charges = "SELECT count(*), count(DISTINCT charge) FROM payment WHERE status = 'paid'"
    assert (len(paid.milliseconds), execute(twin.database, charges)) == (20, [(20, 20)])


@pytest.mark.whole
def test_everything_is_measured(twins: list[RunningApp], stack: Stack) -> None:
    """Both twins are measured at every kind of request, in both loops and at one rate, and all three at adding."""
    steps: list[int] = []
    minimal = minimal_app(ExtraServers(stack, no_log))
    measured = load.measure([*twins, minimal], SHORT, lambda _what, of: steps.append(of))
    minimal.servers[MINIMAL].stop()
    # Samples to warm up, of closed loops and of open ones; the usage of each twin is still to come.
    assert steps == [8 + 9 + 8 + 2] * (8 + 9 + 8)
    loops = [(twin.name, kind) for kind in REQUEST_KINDS for twin in twins]
    closed, opened = measured["closed_loops"], measured["open_loops"]
    assert sorted((one.application, one.request) for one in closed) == sorted([*loops, (MINIMAL, "add")])
    assert sorted((one.application, one.request) for one in opened) == sorted(loops)
    assert [ratio.request for ratio in measured["ratios"]] == list(REQUEST_KINDS)
    assert all(one.answers and one.per_second.median > 0 for one in closed)
    assert len({(one.request, one.rate) for one in opened}) == len(REQUEST_KINDS)
    assert measured["minimal"] is not None


@pytest.mark.usefixtures("twins")
@pytest.mark.whole
def test_other_operations_of_the_control(stack: Stack) -> None:
    """The control is measured at what it does beside the add, and all that it is asked to pay is paid."""
    (peer,) = (one for one in PEERS if one.name == LEDGER_ONLY.key)
    extra = ExtraServers(stack, no_log, {"OUTSIDE_WORLD_URL": stack.ports.outside_world_url})
    control = peer.start(extra).app
    steps: list[str] = []
    measured = speeds.of_other_operations([control], 1, 0.15, steps.append)
    done = execute(control.database, "SELECT count(*), count(*) FILTER (WHERE status = 'paid') FROM payment")
    control.servers[f"{peer.name} web"].stop()
    # To warm up, and a round.
    assert len(steps) == 2 * len(measured)
    assert [(one.operation, one.name) for one in measured] == [("delete", control.name), ("pay", control.name)]
    assert all(one.p50_ms.median > 0 and one.per_second.median > 0 for one in measured)
    # The last sample was of payments by many clients, each of which has made one at least.
    ((payments, paid),) = done
    assert payments == paid >= speeds.CLIENTS


@pytest.mark.whole
def test_usage_is_of_all_servers(twins: list[RunningApp], stack: Stack) -> None:
    """Every server takes time and memory for an add, and each durable one syncs its log for it."""
    steps: list[str] = []
    measured = usage.measure(twins, stack.ports.restate_node, 2, 2, steps.append)["usage"]
    assert len(steps) == len(twins)
    servers = [(one.application, one.server) for one in measured]
    assert servers == [(twin.key, name) for twin in TWINS for name in reversed(twin.servers)]
    assert not [one for one in measured if not (one.cpu_ms > 0 and one.peak_memory_mb > 0)]
    synced = {(one.application, one.server): one.fsyncs for one in measured if one.fsyncs is not None}
    assert set(synced) == {("plain", "db"), ("restate", "db"), ("restate", "restate")}
    # Two clients can share one, and no more.
    assert all(number >= 0.4 for number in synced.values())
    assert all(memory > 1 for servers in usage.idle_memory(twins).values() for memory in servers.values())
