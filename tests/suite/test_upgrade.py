"""A new version of the service, or a new address, while calls are in flight: done right, and done carelessly."""

import contextlib
import dataclasses
import http.server
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faultlab.wire.http1 import Http1Protocol
from tests.faultlab.wire.messages import Answer, Match
from tests.faultlab.wire.proxy import Proxy
from tests.suite.next_version import CONTRACT, EXPAND, MARK
from tests.support import restate_admin
from tests.support.running_twin import RunningTwin, restate_twin
from tests.support.service_endpoint import command, endpoint_beside, service_endpoint
from tests.support.table_lock import todos_locked
from tests.support.user import new_name
from tests.support.waiting import until
from todo_stack.description import StackDescription
from todo_stack.errors import StackError
from todo_stack.ports import HOST, Ports
from todo_stack.process import Server
from todo_stack.stack import Stack
from todo_stack.twins import RESTATE

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
    # Repeating it changes nothing, and other services are none of its business, whenever they came.
    with endpoint_beside(durable, ["tests.suite.failing_service"]):
        both = restate_admin.deployments(admin_url)
        command(durable, "deploy", new_port).run()
        assert restate_admin.deployments(admin_url) == both
    # On the expanded schema each version has done its part in its own way.
    by_version = dict(durable.rows("SELECT task, added_by FROM todo"))
    assert {by_version[task] for task in begun} == {None}
    assert {by_version[title + MARK] for title in later} == {"the next version"}


def the_first(match: Match) -> Match:
    """Return what matches one message, on whichever link."""
    is_first = iter([True])
    return lambda message: match(message) and next(is_first, False)


def test_deployed_through_another_node(durable: RunningTwin, run_next_version: Callable[[int], Server]) -> None:
    """A deployment goes on where a node is away, also if that has done as it was told and only its answers are lost."""
    ports, new_port = durable.stack.ports, Ports.free().restate_service
    run_next_version(new_port)
    with contextlib.ExitStack() as links:
        nodes = [
            links.enter_context(Proxy("to a node", Http1Protocol, upstream=(HOST, ports.restate_admin))) for _ in "ab"
        ]
        lost = (Answer("POST /deployments", mentioning='"force": false}'), Answer("DELETE /deployments"))
        points = [node.cut(first, times=None) for first in map(the_first, lost) for node in nodes]
        addresses = ",".join(f"http://{HOST}:{node.port}" for node in nodes)
        command(durable, "deploy", new_port, RESTATE_ADMIN_URL=addresses).run()
    assert sum(point.hits.qsize() for point in points) == len(lost)
    assert set(restate_admin.deployments(ports.admin_url).values()) == {f"http://{HOST}:{new_port}"}
    durable.add(new_name("afterwards"))


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


def test_moved_by_an_operator(durable: RunningTwin, run_next_version: Callable[[int], Server]) -> None:
    """A paused call can be resumed on the new version. If that has other steps, the old one still finishes it."""
    stack, admin_url, port = durable.stack, durable.stack.ports.admin_url, Ports.free().restate_service
    (old,) = restate_admin.deployments(admin_url)
    stack.servers["db"].kill()
    titles = pending_adds(durable)
    begun = durable.unfinished()[0]["id"]
    run_next_version(port)
    command(durable, "register", port).run()

    def move(call: str, deployment: str) -> None:
        restate_admin.order(admin_url, call, "pause")
        until(lambda: restate_admin.invocation(admin_url, call)["status"] == "paused", "it is paused")
        restate_admin.order(admin_url, call, f"resume?deployment={deployment}")

    move(begun, "latest")
    until(lambda: JOURNAL_MISMATCH in str(durable.unfinished()), "its journal is not the new version's")
    stack.servers["db"].start()
    until(lambda: [call["id"] for call in durable.unfinished()] == [begun], "only this one is left")
    move(begun, old)
    assert durable.settle() == []
    assert added_by(durable, titles) == titles


@contextlib.contextmanager
def another_program(port: int) -> Iterator[None]:
    """Run a server that has nothing to do with Restate."""
    with http.server.HTTPServer((HOST, port), http.server.SimpleHTTPRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield
        server.shutdown()
        thread.join()


def test_started_at_another_address(durable: RunningTwin, native_stack: Stack) -> None:
    """Calls whose address is gone are made at the new one, if that is forced; else the start says what waits where."""
    stack, admin_url = native_stack, native_stack.ports.admin_url
    # A stack that is started again with another RESTATE_SERVICE_PORT.
    ports = dataclasses.replace(stack.ports, restate_service=Ports.free().restate_service)
    moved = StackDescription((RESTATE,), data=native_stack.data, ports=ports)
    service, address = moved.services()[0], stack.ports.service_url
    registered = restate_admin.deployments(admin_url)
    with contextlib.ExitStack() as afterwards:
        afterwards.callback(service.kill)
        with todos_locked(stack.database_url(RESTATE)):
            begun = pending_adds(durable)
            durable.writer.kill()
        service.start()
        refusal = rf"calls \({CALLS}\) wait for {address}/, where no service answers: start"
        # Also if something else is there now.
        with another_program(stack.ports.restate_service), pytest.raises(StackError, match=refusal):
            command(durable, "register", ports.restate_service).run()
        assert restate_admin.deployments(admin_url) == registered
        assert added_by(durable, begun) == []

        moved.registration().run()
        assert durable.settle() == []
        assert added_by(durable, begun) == begun
        # It is the same deployment with another address, and takes new calls too.
        assert restate_admin.deployments(admin_url) == dict.fromkeys(registered, ports.service_url)
        durable.add(new_name("afterwards"))


def test_registered_by_turns(durable: RunningTwin, run_next_version: Callable[[int], Server]) -> None:
    """Calls stay where they can be made; new ones go to the address that was registered last, unless it is gone."""
    stack, port = durable.stack, Ports.free().restate_service
    here, there = stack.ports.service_url, f"http://{HOST}:{port}"
    with todos_locked(stack.database_url(RESTATE)):
        begun = pending_adds(durable)
        next_version = run_next_version(port)
        command(durable, "register", port, RESTATE_REGISTER_FORCE="true").run()
        assert set(restate_admin.deployments(stack.ports.admin_url).values()) == {here, there}
    assert durable.settle() == []
    assert added_by(durable, begun) == begun

    next_version.kill()
    with pytest.raises(StackError, match=f"new calls would go to {there}/, where no service answers"):
        command(durable, "register", stack.ports.restate_service).run()
    command(durable, "register", stack.ports.restate_service, RESTATE_REGISTER_FORCE="true").run()
    durable.add(new_name("here again"))


@pytest.mark.whole
def test_deployed_while_the_old_version_dies(durable: RunningTwin, run_next_version: Callable[[int], Server]) -> None:
    """If the old version dies before its calls are finished, the deployment ends at once, and can be repeated later."""
    stack, port = durable.stack, Ports.free().restate_service
    deploy = command(durable, "deploy", port)
    run_next_version(port)
    with todos_locked(stack.database_url(RESTATE)), contextlib.ExitStack() as afterwards:
        begun = pending_adds(durable)
        afterwards.callback(deploy.kill)
        deploy.spawn()
        until(lambda: any("waiting for" in line for line in deploy.last_lines), "it waits for the old version")
        durable.writer.kill()
        with pytest.raises(StackError, match=rf"calls \({CALLS}\) wait for {stack.ports.service_url}/"):
            deploy.finish()
    durable.writer.start()
    command(durable, "deploy", port).run()
    assert added_by(durable, begun) == begun
