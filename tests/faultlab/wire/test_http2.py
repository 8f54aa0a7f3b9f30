"""The wire between a Restate server and a service, which is HTTP/2."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from flask_restate.identity import public_key
from tests.faultlab.wire import Answer, Http2Protocol, Invocation, Proxy, Request
from tests.faultlab.wire.waiting import DEADLINE, eventually
from todo_stack import restate as restate_server
from todo_stack.ports import Ports

REPOSITORY = Path(__file__).parents[3]


class Steps:
    """A Restate server, a service with one step, and the link between them."""

    def __init__(self, folder: Path, ports: Ports) -> None:
        self.ports = ports
        self._file = folder / "runs"
        self._service: subprocess.Popen[bytes] | None = None
        public_key(folder / "key.pem")
        self.restate = restate_server.server(
            restate_server.find_binary(REPOSITORY),
            folder / "restate",
            folder / "key.pem",
            ports=ports,
            env={"TMPDIR": str(folder)},  # killed, it leaves there what it spilled
            log=lambda _name, _line: None,
        )

    def start_service(self) -> None:
        """Start the service endpoint."""
        program = [sys.executable, "-m", "tests.faultlab.wire.steps_service"]
        self._service = subprocess.Popen(
            [*program, str(self.ports.restate_service), str(self._file)],
            cwd=REPOSITORY,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill_service(self) -> None:
        """Kill it."""
        if self._service:
            self._service.kill()
            self._service.wait()

    def register(self, port: int) -> bool:
        """Tell the Restate server where the service is; False if it cannot be reached yet."""
        body = {"uri": f"http://127.0.0.1:{port}"}
        return requests.post(f"{self.ports.admin_url}/deployments", json=body, timeout=DEADLINE).ok

    def take(self, name: str) -> str:
        """Take a step and wait for it."""
        url = f"{self.ports.ingress_url}/Steps/take"
        answer = requests.post(url, json=name, timeout=2 * DEADLINE)
        answer.raise_for_status()
        return str(answer.json())

    def runs(self, name: str) -> int:
        """Return how often a step ran."""
        return self._file.read_text().split().count(name) if self._file.exists() else 0


@pytest.fixture(scope="module")
def step_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Steps, Proxy]]:
    """A service that the Restate server reaches through the link."""
    steps = Steps(tmp_path_factory.mktemp("restate"), Ports.free())
    with Proxy("ingress to service", Http2Protocol(), upstream=("127.0.0.1", steps.ports.restate_service)) as link:
        try:
            steps.start_service()
            steps.restate.start()
            eventually(lambda: steps.register(link.port), "service registered")
            yield steps, link
        finally:
            steps.restate.kill()
            steps.kill_service()


@pytest.fixture
def steps(step_service: tuple[Steps, Proxy]) -> Iterator[tuple[Steps, Proxy]]:
    """The same with no breakpoint left over."""
    yield step_service
    step_service[1].clear()


def test_invocation_held(steps: tuple[Steps, Proxy], pool: ThreadPoolExecutor) -> None:
    """A held invocation has not begun, others on the same connection overtake it, and released it runs once."""
    restate, link = steps
    point = link.hold(Request("invoke Steps/take", mentioning="held-1"))
    client = pool.submit(restate.take, "held-1")
    held = point.wait(DEADLINE)
    assert isinstance(held.message, Invocation)
    assert (held.message.handler, held.message.entries) == ("Steps/take", 1)
    others = [pool.submit(restate.take, f"other-{number}") for number in range(20)]
    assert [other.result(DEADLINE) for other in others] == [f"other-{number}" for number in range(20)]
    assert held.connection in {
        event.connection for event in link.log.events(held.since) if event.label == "invoke Steps/take"
    }
    assert restate.runs("held-1") == 0
    held.release()
    assert client.result(DEADLINE) == "held-1"
    assert restate.runs("held-1") == 1


def test_result_held_and_service_killed(steps: tuple[Steps, Proxy], pool: ThreadPoolExecutor) -> None:
    """A service killed while its step's result is on the way to the journal runs that step again."""
    restate, link = steps
    point = link.hold(Answer("ProposeRunCompletion", mentioning="twice"))
    client = pool.submit(restate.take, "twice")
    held = point.wait(DEADLINE)
    assert restate.runs("twice") == 1
    assert restate.take("meanwhile") == "meanwhile"
    again = link.watch(Request("invoke Steps/take", mentioning="twice"))
    restate.kill_service()
    held.drop()
    restate.start_service()
    assert client.result(2 * DEADLINE) == "twice"
    assert restate.runs("twice") == 2
    repeated = again.wait(DEADLINE).message
    assert isinstance(repeated, Invocation)
    assert repeated.entries == 2  # the input, and the command to run the step


def test_journalled_result_held(steps: tuple[Steps, Proxy], pool: ThreadPoolExecutor) -> None:
    """When the news that the result is journalled is held and the connection cut, the step does not run again."""
    restate, link = steps
    point = link.hold(Request("RunCompletionNotification", mentioning="once"))
    client = pool.submit(restate.take, "once")
    held = point.wait(DEADLINE)
    assert not client.done()
    held.reset()
    assert client.result(2 * DEADLINE) == "once"
    assert restate.runs("once") == 1


def test_big_invocations(steps: tuple[Steps, Proxy]) -> None:
    """Inputs and results larger than every window pass unchanged, also when they are held on their way."""
    restate, link = steps
    name = "big " + "x" * 700_000
    assert restate.take(name) == name
    link.stall(Request("invoke Steps/take"), 0.1)
    link.stall(Answer("ProposeRunCompletion"), 0.1)
    assert restate.take(name) == name
