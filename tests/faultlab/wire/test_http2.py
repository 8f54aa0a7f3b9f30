"""The wire between a Restate server and a service, which is HTTP/2."""

import contextlib
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from flask_restate.identity import public_key
from tests.faultlab.wire.clients import DEADLINE, LOOPBACK
from tests.faultlab.wire.http2 import Http2Protocol
from tests.faultlab.wire.http2_streams import Invocation
from tests.faultlab.wire.messages import Answer, Sent
from tests.faultlab.wire.proxy import Proxy
from tests.support import restate_admin
from tests.support.logs import log_to
from tests.support.waiting import until
from todo_stack import restate as restate_server
from todo_stack.checks import tcp_open
from todo_stack.paths import REPOSITORY
from todo_stack.ports import Ports
from todo_stack.process import Server


@dataclass(frozen=True)
class StepService:
    """A service with one step, and the link on which a Restate server calls it."""

    link: Proxy
    service: Server
    ingress_url: str
    log_of_runs: Path

    def take(self, name: str) -> str:
        """Take a step and wait for it."""
        answer = requests.post(f"{self.ingress_url}/Steps/take", json=name, timeout=2 * DEADLINE)
        answer.raise_for_status()
        return str(answer.json())

    def runs(self, name: str) -> int:
        """Return how often a step ran."""
        return self.log_of_runs.read_text().split().count(name)


@pytest.fixture(scope="module")
def running_steps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StepService]:
    """A service that the Restate server reaches through the link."""
    folder, ports = tmp_path_factory.mktemp("restate"), Ports.free()
    key, runs, port = folder / "key.pem", folder / "runs", ports.restate_service
    public_key(key)
    runs.touch()
    with (
        log_to(folder / "log") as log,
        Proxy("ingress to service", Http2Protocol, upstream=(LOOPBACK, port)) as link,
        contextlib.ExitStack() as afterwards,
    ):
        application = ["--bind", f"{LOOPBACK}:{port}", "--workers", "0", "tests.faultlab.wire.steps_service:app"]
        program, settings = [sys.executable, "-m", "hypercorn", *application], {**os.environ, "RUNS": str(runs)}
        service = Server("service", program, settings, log, tcp_open(port), cwd=REPOSITORY)
        # Killed, it leaves files in TMPDIR. Of big messages the ingress of the twins takes none.
        env = {"TMPDIR": str(folder), "RESTATE_INGRESS__REQUEST_SIZE_LIMIT": "32 MiB"}
        for server in (service, restate_server.server(folder, key, ports, env, log)):
            afterwards.callback(server.kill)
            server.start()
        service_url = f"http://{LOOPBACK}:{link.port}"
        until(lambda: restate_admin.register(ports.admin_url, service_url), "the service is registered", DEADLINE)
        yield StepService(link, service, ports.ingress_url, runs)


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


def test_big_invocations(steps: StepService, pool: ThreadPoolExecutor) -> None:
    """Inputs and results larger than every window pass unchanged, also when they are held on their way."""
    name = "big " + "x" * 700_000
    assert steps.take(name) == name
    held = [steps.link.hold(Sent("invoke Steps/take")), steps.link.hold(Answer("ProposeRunCompletion"))]
    client = pool.submit(steps.take, name)
    for point in held:
        point.wait().release()
    assert client.result(DEADLINE) == name
