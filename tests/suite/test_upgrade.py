"""A new version of the service while calls are in flight: how it is deployed, and what a careless deployment breaks."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.suite.next_version import CONTRACT, EXPAND, MARK
from tests.support import restate_admin
from tests.support.running_twin import RunningTwin, restate_twin
from tests.support.service_endpoint import service_endpoint
from tests.support.user import new_name
from tests.support.waiting import until
from todo_stack.output import no_log
from todo_stack.paths import REPOSITORY
from todo_stack.ports import HOST, Ports
from todo_stack.process import Server, Step
from todo_stack.stack import Stack

CALLS = 4
JOURNAL_MISMATCH = "RT0016"


@pytest.fixture
def durable(native_stack: Stack) -> Iterator[RunningTwin]:
    """The Restate twin, its schema expanded for the next version; afterwards its own version alone is registered."""
    durable, admin_url = restate_twin(native_stack), native_stack.ports.admin_url
    durable.rows(EXPAND)
    yield durable
    for server in (native_stack.servers["db"], durable.writer):
        if not server.running:
            server.start()
    command(durable, "register", native_stack.ports.restate_service, RESTATE_REGISTER_FORCE="true").run()
    restate_admin.give_up(admin_url)
    for deployment, address in restate_admin.deployments(admin_url).items():
        if address != native_stack.ports.service_url:
            restate_admin.forget(admin_url, deployment)
    durable.rows(CONTRACT)


@pytest.fixture
def run_next_version(durable: RunningTwin) -> Iterator[Callable[[int], Server]]:
    """Runs the next version's service endpoint at a port."""
    with contextlib.ExitStack() as afterwards:

        def run(port: int) -> Server:
            server = service_endpoint(durable, ["tests.suite.next_version"], port)
            afterwards.callback(server.kill)
            server.start()
            return server

        yield run


def command(twin: RunningTwin, verb: str, port: int, **environment: str) -> Step:
    """Return `python -m flask_restate` with this verb for the endpoint at this port, not yet started."""
    address = {"RESTATE_SERVICE_URL": f"http://{HOST}:{port}", "RESTATE_REGISTER_FORCE": "false"}
    env = {**twin.writer.env, **address, **environment}
    return Step(verb, [sys.executable, "-m", "flask_restate", verb], env, no_log, cwd=REPOSITORY)


def pending_adds(twin: RunningTwin) -> list[str]:
    """Add todos that cannot be finished now, because the database is down; return their titles."""
    titles = sorted(new_name("pending") for _ in range(CALLS))
    with ThreadPoolExecutor(CALLS) as pool:
        answers = list(pool.map(lambda title: twin.call("POST", json={"title": title}), titles))
    assert [answer.status_code for answer in answers] == [202] * CALLS
    return titles


def added_by(twin: RunningTwin, titles: list[str]) -> list[str]:
    """Return the tasks in the database that were added with these titles, with the mark of their version."""
    return [task for title in titles for task in twin.tasks(title)]


def test_deployed_with_calls_in_flight(durable: RunningTwin, run_next_version: Callable[[int], Server]) -> None:
    """At an address of its own the new version takes new calls, and the old one finishes those that it has begun."""
    stack, admin_url = durable.stack, durable.stack.ports.admin_url
    new_port = Ports.free().restate_service
    old_address, new_address = stack.ports.service_url, f"http://{HOST}:{new_port}"
    deploy = command(durable, "deploy", new_port)
    stack.servers["db"].kill()
    begun = pending_adds(durable)
    run_next_version(new_port)
    deploy.spawn()
    try:
        until(lambda: new_address in restate_admin.deployments(admin_url).values(), "the new version is registered")
        later = pending_adds(durable)
        # The old version stays as long as calls need it.
        assert deploy.running
        assert set(restate_admin.deployments(admin_url).values()) == {old_address, new_address}
        stack.servers["db"].start()
        deploy.finish()
    finally:
        deploy.kill()
    assert list(restate_admin.deployments(admin_url).values()) == [new_address]
    durable.writer.kill()

    assert durable.settle() == []
    assert added_by(durable, begun) == begun
    assert added_by(durable, later) == [title + MARK for title in later]
    assert durable.add(last := new_name("afterwards"))["title"] == last + MARK
    # On the expanded schema each version has done its part in its own way.
    by_version = dict(durable.rows("SELECT task, added_by FROM todo"))
    assert {by_version[task] for task in begun} == {None}
    assert {by_version[title + MARK] for title in later} == {"the next version"}


def test_replaced_with_calls_in_flight(durable: RunningTwin, run_next_version: Callable[[int], Server]) -> None:
    """At the old address the new version cannot finish what the old one began: those calls hang until that is back."""
    stack, port = durable.stack, durable.stack.ports.restate_service
    stack.servers["db"].kill()
    begun = pending_adds(durable)
    durable.writer.kill()
    next_version = run_next_version(port)
    command(durable, "register", port, RESTATE_REGISTER_FORCE="true").run()
    stack.servers["db"].start()

    # The new version works for new calls.
    assert durable.add(new := new_name("new"))["title"] == new + MARK
    until(
        lambda: [call.get("last_failure_error_code") for call in durable.unfinished()] == [JOURNAL_MISMATCH] * CALLS,
        "Restate says of each call that its journal is not the new version's",
    )
    assert added_by(durable, begun) == []

    # Nothing is lost: with the old version back at its address the calls are finished, each once.
    next_version.kill()
    durable.writer.start()
    command(durable, "register", port, RESTATE_REGISTER_FORCE="true").run()
    assert durable.settle() == []
    assert added_by(durable, begun) == begun
