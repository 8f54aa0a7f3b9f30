"""The wire between a Restate server and a service, which is HTTP/2."""

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from flask_restate.identity import public_key
from tests.faultlab.wire import Answer, Http2Protocol, Invocation, Proxy, Sent
from tests.faultlab.wire.clients import DEADLINE, LOOPBACK
from tests.support.logs import log_to
from tests.support.waiting import until
from todo_stack import restate as restate_server
from todo_stack.applications import REPOSITORY
from todo_stack.checks import tcp_open
from todo_stack.output import Log
from todo_stack.ports import Ports
from todo_stack.process import Server


class StepService:
    """A Restate server, a service with one step, and the link between them."""

    def __init__(self, folder: Path, log: Log) -> None:
        ports = self.ports = Ports.free()
        self._file = folder / "runs"
        public_key(folder / "key.pem")
        self.restate = restate_server.server(
            restate_server.find_binary(REPOSITORY),
            folder / "restate",
            folder / "key.pem",
            ports=ports,
            env={"TMPDIR": str(folder)},  # killed, it leaves there what it spilled
            log=log,
        )
        program = [sys.executable, "-m", "tests.faultlab.wire.steps_service"]
        arguments = [str(ports.restate_service), str(self._file)]
        ready = tcp_open(ports.restate_service)
        self.service = Server("service", [*program, *arguments], os.environ, ready, log, cwd=REPOSITORY)
        self.link = Proxy("ingress to service", Http2Protocol, upstream=(LOOPBACK, ports.restate_service))

    def register(self) -> bool:
        """Tell the Restate server where the service is; False if it cannot be reached yet."""
        body = {"uri": f"http://{LOOPBACK}:{self.link.port}"}
        return requests.post(f"{self.ports.admin_url}/deployments", json=body, timeout=DEADLINE).ok

    def take(self, name: str) -> str:
        """Take a step and wait for it."""
        answer = requests.post(f"{self.ports.ingress_url}/Steps/take", json=name, timeout=2 * DEADLINE)
        answer.raise_for_status()
        return str(answer.json())

    def runs(self, name: str) -> int:
        """Return how often a step ran."""
        return self._file.read_text().split().count(name) if self._file.exists() else 0


@pytest.fixture(scope="module")
def running_steps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StepService]:
    """A service that the Restate server reaches through the link."""
    folder = tmp_path_factory.mktemp("restate")
    with log_to(folder / "log") as log:
        steps = StepService(folder, log)
        with steps.link:
            try:
                steps.service.start()
                steps.restate.start()
                until(steps.register, "the service is registered", DEADLINE)
                yield steps
            finally:
                steps.restate.kill()
                steps.service.kill()


@pytest.fixture
def steps(running_steps: StepService) -> Iterator[StepService]:
    """The same with no breakpoint left over."""
    yield running_steps
    running_steps.link.clear()


def test_invocation_held(steps: StepService, pool: ThreadPoolExecutor) -> None:
    """A held invocation has not begun, others on the same connection overtake it, and released it runs once."""
    point = steps.link.hold(Sent("invoke Steps/take", mentioning="held-1"))
    client = pool.submit(steps.take, "held-1")
    held = point.wait()
    assert isinstance(held.message, Invocation)
    assert (held.message.handler, held.message.entries) == ("Steps/take", 1)
    names = [f"other-{number}" for number in range(20)]
    assert list(pool.map(steps.take, names, timeout=DEADLINE)) == names
    passed = [event for event in steps.link.log.events(held.since) if event.label == "invoke Steps/take"]
    assert held.connection in {event.connection for event in passed}
    assert steps.runs("held-1") == 0
    held.release()
    assert client.result(DEADLINE) == "held-1"
    assert steps.runs("held-1") == 1


def test_result_held_and_service_killed(steps: StepService, pool: ThreadPoolExecutor) -> None:
    """A service killed while its step's result is on the way to the journal runs that step again."""
    point = steps.link.hold(Answer("ProposeRunCompletion", mentioning="twice"))
    client = pool.submit(steps.take, "twice")
    held = point.wait()
    assert steps.runs("twice") == 1
    assert steps.take("meanwhile") == "meanwhile"
    again = steps.link.watch(Sent("invoke Steps/take", mentioning="twice"))
    steps.service.kill()
    held.drop()
    steps.service.start()
    assert client.result(2 * DEADLINE) == "twice"
    assert steps.runs("twice") == 2
    repeated = again.wait().message
    assert isinstance(repeated, Invocation)
    assert repeated.entries == 2  # the input, and the command to run the step


def test_journalled_result_held(steps: StepService, pool: ThreadPoolExecutor) -> None:
    """When the news that the result is journalled is held and the connection cut, the step does not run again."""
    point = steps.link.hold(Sent("RunCompletionNotification", mentioning="once"))
    client = pool.submit(steps.take, "once")
    held = point.wait()
    assert not client.done()
    held.reset()
    assert client.result(2 * DEADLINE) == "once"
    assert steps.runs("once") == 1


def test_big_invocations(steps: StepService) -> None:
    """Inputs and results larger than every window pass unchanged, also when they are held on their way."""
    name = "big " + "x" * 700_000
    assert steps.take(name) == name
    steps.link.stall(Sent("invoke Steps/take"), 0.1)
    steps.link.stall(Answer("ProposeRunCompletion"), 0.1)
    assert steps.take(name) == name
