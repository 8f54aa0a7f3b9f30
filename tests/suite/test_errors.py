"""What becomes of a call whose handler fails, class by class of the table in flask_restate.errors."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
import tenacity

from flask_restate.errors import ERRORS, SLOW_INTERVAL, Ends, Repeats
from tests.suite.failing_service import RAISED
from tests.support.running_twin import RunningTwin, restate_twin
from todo_stack.applications import REPOSITORY
from todo_stack.checks import tcp_open
from todo_stack.ports import Ports
from todo_stack.process import Server
from todo_stack.stack import Stack

ENDS = {"TodoNotFoundError": 404, "IntegrityError": 409, "DataError": 422, "TerminalError": 418}
SLOWLY = ("ProgrammingError", "KeyError", "TypeError", "ValueError")
SOON = [name for name in RAISED if name not in ENDS and name not in SLOWLY]
IN = ("in_handler", "in_step")
ENOUGH_ATTEMPTS = 4


@dataclass
class FailingService:
    """The running service of tests/failing_service.py."""

    durable: RunningTwin
    lines: list[str]

    def send(self, handler: str, name: str) -> str:
        """Have a handler raise this, and return the invocation's id."""
        return str(self.post("send", handler, name).json()["invocationId"])

    def post(self, way: str, handler: str, name: str) -> requests.Response:
        """Have a handler raise this."""
        url = f"{self.durable.stack.ports.ingress_url}/restate/{way}/FailingService/{handler}"
        return requests.post(url, json={"name": name}, timeout=10)

    def invocation(self, invocation_id: str) -> dict[str, Any]:
        """Return what Restate tells of an invocation."""
        query = "SELECT id, retry_count, next_retry_at, last_failure FROM sys_invocation"
        response = requests.post(
            f"{self.durable.stack.ports.admin_url}/query",
            json={"query": query},
            headers={"accept": "application/json"},
            timeout=10,
        )
        rows: list[dict[str, Any]] = response.json()["rows"]
        return next((row for row in rows if row["id"] == invocation_id), {})


@pytest.fixture(scope="module")
def failing(stack: Stack) -> Iterator[FailingService]:
    """The failing service beside the Restate twin; what it has not finished at the end is killed."""
    durable, port, lines = restate_twin(stack), Ports.free().restate_service, list[str]()
    env = {**durable.writer.env, "RESTATE_SERVICE_PORT": str(port)}
    command = [sys.executable, "-m", "tests.suite.failing_service"]
    server = Server("failing", command, env, tcp_open(port), lambda _name, line: lines.append(line), cwd=REPOSITORY)
    admin = stack.ports.admin_url
    try:
        server.start()
        uri = {"uri": f"http://127.0.0.1:{port}"}
        requests.post(f"{admin}/deployments", json=uri, timeout=30).raise_for_status()
        yield FailingService(durable, lines)
        for invocation in durable.unfinished():
            requests.patch(f"{admin}/invocations/{invocation['id']}/kill", timeout=10).raise_for_status()
        assert durable.settle() == []
    finally:
        server.kill()


def when(failing: FailingService, invocation_id: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Wait until this holds for what Restate tells of an invocation, and return that."""
    waiting = tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda row: not holds(row)),
        stop=tenacity.stop_after_delay(20),
        wait=tenacity.wait_fixed(0.1),
    )
    row: dict[str, Any] = waiting(failing.invocation, invocation_id)
    return row


def test_every_class_of_the_table_is_tried() -> None:
    """The table has no class that this file does not raise."""
    kinds = {kind for error in RAISED.values() for kind in type(error).__mro__}
    assert [kind for kind in ERRORS if kind not in kinds] == []
    assert {name for name in RAISED if isinstance(ERRORS.get(type(RAISED[name])), Ends)} == {*ENDS} - {"TerminalError"}


@pytest.mark.parametrize("handler", IN)
@pytest.mark.parametrize(("name", "status"), ENDS.items())
def test_ends(failing: FailingService, handler: str, name: str, status: int) -> None:
    """What no repeat can mend ends the call at once, with a status and without the words of the database."""
    answer = failing.post("call", handler, name)
    assert answer.status_code == status
    assert "driver" not in answer.text


@pytest.mark.parametrize("handler", IN)
@pytest.mark.parametrize("name", SOON)
def test_repeats_soon(failing: FailingService, handler: str, name: str) -> None:
    """What a database or a receiver that is down raises is tried again and again."""
    when(failing, failing.send(handler, name), lambda row: row.get("retry_count", 0) >= ENOUGH_ATTEMPTS)


@pytest.mark.parametrize("handler", IN)
@pytest.mark.parametrize("name", SLOWLY)
def test_repeats_slowly(failing: FailingService, handler: str, name: str) -> None:
    """A fault of the code is kept, is tried again a minute later, and is one line of the log that says where it is."""
    before = len(failing.lines)
    row = when(failing, failing.send(handler, name), lambda row: "next_retry_at" in row)
    pause = datetime.fromisoformat(row["next_retry_at"]) - datetime.now(UTC)
    assert SLOW_INTERVAL - timedelta(seconds=30) < pause <= SLOW_INTERVAL
    assert name in row["last_failure"]
    assert [line for line in failing.lines[before:] if name in line and "failing_service.py:" in line]
    assert "Traceback" not in "".join(failing.lines)


def test_nothing_is_dropped() -> None:
    """Only what the table says ends; whatever else is raised is repeated."""
    assert ERRORS[Exception] is Repeats.SLOWLY
