"""What make bench measures is what it claims: every request counts, and each application starts with the same rows."""

import functools
import os
from collections.abc import Callable, Iterator
from itertools import product

import pytest

from tests.costs.measure import load, parts, pinned, usage
from tests.costs.measure.beside_twins import both_app, minimal_app, step_apps
from tests.costs.measure.extra_servers import ExtraServers
from tests.costs.measure.load_generator import put_load
from tests.costs.measure.own_core import can_pin
from tests.costs.measure.running_apps import ROWS, RunningApp, twins_of
from tests.costs.part_names import PAGES
from tests.costs.peers import speeds
from tests.costs.peers.contestants import PEERS
from tests.costs.records import BY_HYPERCORN, MINIMAL, NOOP, REQUEST_KINDS, TWIN_NAMES
from tests.support.control import LEDGER_ONLY
from tests.support.database import execute
from todo_stack import tree
from todo_stack.output import no_log
from todo_stack.stack import Stack
from todo_stack.twins import RESTATE, TWINS

SHORT = load.LoadPlan(
    clients=(1, 2),
    rounds=dict.fromkeys(REQUEST_KINDS, 1),
    seconds=dict.fromkeys(REQUEST_KINDS, 0.15),
    warm_up_seconds=0.1,
    open_seconds=dict.fromkeys(REQUEST_KINDS, 0.3),
    open_slices=1,
    short_rounds=2,
    short_seconds=0.1,
    steps_after=2,
)


@pytest.fixture
def twins(stack: Stack, request: pytest.FixtureRequest) -> list[RunningApp]:
    """Both twins, as processes of this machine."""
    if request.config.getoption("--stack") == "containers":
        pytest.skip("make bench measures processes of this machine")
    return twins_of(stack)


@pytest.fixture(scope="module")
def make_minimal(stack: Stack) -> Iterator[Callable[[], RunningApp]]:
    """Return what starts the minimal application beside them, once: its database can be made once."""
    make = functools.cache(lambda: minimal_app(ExtraServers(stack, no_log)))
    yield make
    if make.cache_info().currsize:
        make().servers[MINIMAL].stop()


@pytest.fixture
def minimal(twins: list[RunningApp], make_minimal: Callable[[], RunningApp]) -> RunningApp:
    """The minimal application, where the twins are processes of this machine."""
    del twins
    return make_minimal()


def rows(app: RunningApp) -> int:
    """Return how many todos there are."""
    return int(execute(app.database, "SELECT count(*) FROM todo")[0][0])


def cores(stack: Stack) -> set[frozenset[int]]:
    """Return what cores the threads of the servers and this one may have; nothing where the system does not tell."""
    families = [tree.family(server.pid) for server in stack.servers.values() if server.pid]
    threads = [thread.id for family in families for process in family for thread in process.threads()]
    return {frozenset(os.sched_getaffinity(thread)) for thread in (0, *threads)} if can_pin() else set()


@pytest.mark.parametrize("number", range(len(TWINS)), ids=map(str, TWINS))
@pytest.mark.whole
def test_every_request_is_done(twins: list[RunningApp], number: int) -> None:
    """Each counted add is a row more, each counted deletion a row less, and each counted payment one charge."""
    twin = twins[number]

    added = put_load(twin.url, twin.prepare("add"), clients=4, seconds=20, stop_after=20)
    assert (len(added.milliseconds), rows(twin)) == (20, ROWS + 20)

    deleted = put_load(twin.url, twin.prepare("delete", 20), clients=4, seconds=20, stop_after=20)
    assert (len(deleted.milliseconds), rows(twin)) == (20, ROWS)

    paid = put_load(twin.url, twin.prepare("pay", 20), clients=4, seconds=20, stop_after=20)
    charges = "SELECT count(*), count(DISTINCT charge) FROM payment WHERE status = 'paid'"
    assert (len(paid.milliseconds), execute(twin.database, charges)) == (20, [(20, 20)])


@pytest.mark.whole
def test_everything_is_measured(twins: list[RunningApp], minimal: RunningApp, stack: Stack) -> None:
    """Both twins are measured at every kind of request, in both loops and at one rate, and all others at adding."""
    steps: list[int] = []
    before = cores(stack)
    with step_apps(stack, no_log) as at_ingress:
        others = [minimal, *at_ingress, both_app(twins[0], at_ingress[0])]
        measured = load.measure([*twins, *others], SHORT, lambda _what, of: steps.append(of))
    assert (measured["lists_pinned"], cores(stack)) == (can_pin(), before)
    # Samples to warm up, of closed loops, of all lists at once, and of open loops; what follows is still to come.
    assert steps == [14 + 28 + 1 + 8 + 2] * (14 + 28 + 1 + 8)
    loops = [(twin.name, kind) for kind in REQUEST_KINDS for twin in twins]
    closed, opened = measured["closed_loops"], measured["open_loops"]
    assert sorted((one.application, one.request) for one in closed) == sorted(
        2 * [*loops, *((other.name, "add") for other in others)]
    )
    assert sorted((one.application, one.request) for one in opened) == sorted(loops)
    ratios = [(ratio.request, ratio.clients) for ratio in measured["ratios"]]
    assert ratios == list(product(REQUEST_KINDS, SHORT.clients))
    assert [(ratio.request, ratio.clients) for ratio in measured["short_ratios"]] == [("list", 1), ("list", 2)]
    assert [(one.application, one.clients, one.fewer) for one in measured["more_clients"]] == [
        (twin.name, 2, 1) for twin in twins
    ]
    assert all(one.answers and one.per_second.median > 0 for one in (*closed, *measured["short_lists"]))
    assert [(one.clients, one.application) for one in measured["short_lists"]] == [*product((1, 2), TWIN_NAMES)]
    assert len({(one.request, one.rate) for one in opened}) == len(REQUEST_KINDS)
    assert all(measured[name].median > 0 for name in ("reads", "minimal", "both"))


@pytest.mark.whole
def test_steps_at_the_ingress(twins: list[RunningApp], stack: Stack) -> None:
    """A step that does nothing writes nothing; the others write a todo and a row of the ledger for each call."""
    durable = next(twin for twin in twins if twin.name == RESTATE.key)
    count = "SELECT (SELECT count(*) FROM todo), (SELECT count(*) FROM operation)"
    with step_apps(stack, no_log) as apps:
        for app in apps:
            taken = put_load(app.url, app.prepare("add"), clients=4, seconds=20, stop_after=20)
            written = 0 if app.name in (NOOP, BY_HYPERCORN) else 20
            assert (len(taken.milliseconds), execute(durable.database, count)) == (20, [(ROWS + written, written)])
        both = both_app(twins[0], apps[0])
        assert len(put_load(both.url, both.prepare("add"), clients=4, seconds=20, stop_after=20).milliseconds) == 20
        assert rows(twins[0]) == ROWS + 20
        used = usage.measure([*apps, both], stack.ports.restate_node, 2, 0.5, lambda *_: None)["usage"]
    assert all(one.cpu_ms > 0 for one in used if one.application == both.name)
    assert {(one.application, one.server) for one in used} == {
        (app.name, server) for app in [*apps, both] for server in app.servers
    }


@pytest.mark.whole
def test_parts(twins: list[RunningApp], stack: Stack) -> None:
    """Each part takes the processor, and so does the least that does the same; their sum is near the whole."""
    with step_apps(stack, no_log) as apps:
        used = usage.measure([*twins, *apps], stack.ports.restate_node, 8, 1.0, lambda *_: None)["usage"]
        made = parts.measure(twins, used, 8, lambda *_: None)
    assert [(one.request, len(one.parts)) for one in made] == [
        ("plain add", 4),
        ("durable add", 7),
        *zip(PAGES, (4, 5), strict=True),
    ]
    assert all(part.ours > 0 and (part.least is None or part.least > 0) for one in made for part in one.parts)
    # A machine that others use may be slower for either.
    assert all(0.3 < sum(part.ours for part in one.parts) / one.whole < 3 for one in made)


@pytest.mark.whole
def test_pinned(twins: list[RunningApp], stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """One server of each twin has a core for itself; afterwards every thread may run anywhere again."""
    if not can_pin():
        pytest.skip("processes cannot be pinned here")
    monkeypatch.setattr(pinned, "SECONDS", 0.5)
    used = usage.measure(twins, stack.ports.restate_node, 2, 0.5, lambda *_: None)["usage"]
    before = cores(stack)
    found = pinned.measure(stack, used, 2, lambda *_: None)
    assert [(one.application, one.server) for one in found] == [
        (twin.name, pinned.TIERS[twin.name][0]) for twin in twins
    ]
    # What a core can give, and a little for the clock's ticks.
    assert all(one.per_second > 0 and 0 < one.busy < 1.1 and 0 < one.others_busy < 1.1 for one in found)
    assert cores(stack) == before == {frozenset(os.sched_getaffinity(0))}


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
    measured = usage.measure(twins, stack.ports.restate_node, 2, 4, steps.append)["usage"]
    assert len(steps) == len(twins)
    servers = [(one.application, one.server) for one in measured]
    assert servers == [(twin.key, name) for twin in TWINS for name in reversed(twin.servers)]
    assert not [one for one in measured if not (one.cpu_ms > 0 and one.peak_memory_mb > 0)]
    synced = {(one.application, one.server): one.fsyncs for one in measured if one.fsyncs is not None}
    assert set(synced) == {("plain", "db"), ("restate", "db"), ("restate", "restate")}
    # Two clients can share one, and no more.
    assert all(number >= 0.4 for number in synced.values())
    assert all(memory > 1 for servers in usage.idle_memory(twins).values() for memory in servers.values())
