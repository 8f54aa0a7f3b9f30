"""A new version of the service while calls are in flight: how it is done, and what a careless one breaks."""

import sys
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
import tenacity

from tests.suite.next_version import MARK
from tests.support.running_twin import RunningTwin, restate_twin
from todo_stack.applications import REPOSITORY
from todo_stack.checks import tcp_open
from todo_stack.ports import Ports
from todo_stack.process import Server, Step
from todo_stack.stack import Stack
from todo_stack.twins import RESTATE

CALLS = 4
JOURNAL_MISMATCH = "RT0016"


@pytest.fixture
def durable(tmp_path: Path) -> Iterator[RunningTwin]:
    """The Restate twin on servers of its own, for they are not the same afterwards."""
    with Stack([RESTATE], data=tmp_path, ports=Ports.free()) as stack:
        yield restate_twin(stack)


@pytest.fixture
def next_port() -> int:
    """A port for the next version."""
    return Ports.free().restate_service


def next_version(twin: RunningTwin, port: int) -> Server:
    """Return the next version's service endpoint, not yet started."""
    command = [sys.executable, "-m", "tests.suite.next_version"]
    env = {**twin.writer.env, "RESTATE_SERVICE_PORT": str(port)}
    return Server("next_version", command, env, tcp_open(port), lambda *_line: None, cwd=REPOSITORY)


def step(twin: RunningTwin, command: str, port: int, **env: str) -> Step:
    """Return a program that tells Restate of the endpoint at this port, not yet started."""
    address = f"http://127.0.0.1:{port}"
    env = {**twin.writer.env, "RESTATE_SERVICE_URL": address, "RESTATE_REGISTER_FORCE": "false", **env}
    return Step(command, [sys.executable, "-m", "flask_restate", command], env, lambda *_line: None, cwd=REPOSITORY)


def pending(twin: RunningTwin, name: str) -> list[str]:
    """Have calls that cannot be finished now, because the database is away; return their titles."""
    titles = [f"{name} {uuid.uuid4()}" for _ in range(CALLS)]
    with ThreadPoolExecutor(CALLS) as pool:
        answers = list(pool.map(lambda title: twin.call("POST", json={"title": title}), titles))
    assert [answer.status_code for answer in answers] == [202] * CALLS
    return titles


def deployments(twin: RunningTwin) -> list[str]:
    """Return the addresses that Restate knows of the service."""
    response = requests.get(f"{twin.stack.ports.admin_url}/deployments", timeout=10)
    return [one["uri"].rstrip("/") for one in response.json()["deployments"]]


def eventually(holds: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Wait until this holds."""
    waiting = tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda held: not held),
        stop=tenacity.stop_after_delay(seconds),
        wait=tenacity.wait_fixed(0.1),
        retry_error_callback=lambda _state: False,
    )
    assert waiting(holds), f"still missing after {seconds} s: {what}"


def marked(titles: list[str]) -> list[str]:
    """Return the titles as the next version writes them."""
    return [title + MARK for title in titles]


def test_new_version_with_calls_in_flight(durable: RunningTwin, next_port: int) -> None:
    """At an address of its own the new version takes new calls, and the old one finishes those that it has begun."""
    stack, old = durable.stack, durable.writer
    new = next_version(durable, next_port)
    deploy = step(durable, "deploy", next_port)
    old_address, new_address = stack.ports.service_url, f"http://127.0.0.1:{next_port}"
    try:
        stack.servers["db"].kill()
        begun = pending(durable, "begun")
        new.start()
        deploy.spawn()
        eventually(lambda: new_address in deployments(durable), "the registration of the new version")
        later = pending(durable, "later")
        # While calls need it the old version stays.
        assert deploy.running
        assert set(deployments(durable)) == {old_address, new_address}
        stack.servers["db"].start()
        deploy.finish()
        assert deployments(durable) == [new_address]
        old.kill()

        assert durable.settle() == []
        assert sorted(durable.tasks("begun")) == sorted(begun)
        assert sorted(durable.tasks("later")) == sorted(marked(later))
        assert durable.add("afterwards")["title"] == "afterwards" + MARK
    finally:
        deploy.kill()
        new.kill()


def test_careless_version_with_calls_in_flight(durable: RunningTwin) -> None:
    """At the old address the new version cannot finish what the old one began: those calls hang until that is back."""
    stack, old = durable.stack, durable.writer
    port = stack.ports.restate_service
    new = next_version(durable, port)
    try:
        stack.servers["db"].kill()
        begun = pending(durable, "begun")
        old.kill()
        new.start()
        step(durable, "register", port, RESTATE_REGISTER_FORCE="true").run()
        stack.servers["db"].start()

        # The new version works, for new calls.
        assert durable.add("new")["title"] == "new" + MARK
        eventually(
            lambda: failures(durable) == [JOURNAL_MISMATCH] * CALLS,
            "Restate says of each call that the journal is not the new version's",
        )
        assert durable.tasks("begun") == []

        # Nothing is lost: with the old version back at its address they are finished, each once.
        new.kill()
        old.start()
        step(durable, "register", port, RESTATE_REGISTER_FORCE="true").run()
        assert durable.settle() == []
        assert sorted(durable.tasks("begun")) == sorted(begun)
    finally:
        new.kill()


def failures(twin: RunningTwin) -> list[str | None]:
    """Return Restate's code for the last failure of each call that is not finished."""
    response = requests.post(
        f"{twin.stack.ports.admin_url}/query",
        json={"query": "SELECT last_failure_error_code FROM sys_invocation WHERE status <> 'completed'"},
        headers={"accept": "application/json"},
        timeout=10,
    )
    return [row.get("last_failure_error_code") for row in response.json()["rows"]]
