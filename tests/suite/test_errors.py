"""What becomes of a call whose handler fails, class by class of the table in flask_restate.errors."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
import requests

from flask_restate.errors import ERRORS, SLOW_INTERVAL, Ends, Repeats
from tests.suite.failing_service import RAISED
from tests.support import restate_admin
from tests.support.running_twin import restate_twin
from tests.support.service_endpoint import endpoint_beside
from tests.support.waiting import until
from todo_stack.ports import Ports
from todo_stack.stack import Stack

ENDS = {"TodoNotFoundError": 404, "IntegrityError": 409, "DataError": 422, "TerminalError": 418}
SLOWLY = ("ProgrammingError", "KeyError", "TypeError", "ValueError")
SOON = [name for name in RAISED if name not in ENDS and name not in SLOWLY]
ENOUGH_ATTEMPTS = 4

in_handler_and_step = pytest.mark.parametrize("handler", ["in_handler", "in_step"])


@dataclass(frozen=True)
class FailingService:
    """The running service of failing_service.py, and what it has printed."""

    ports: Ports
    lines: list[str]

    def call(self, handler: str, name: str) -> requests.Response:
        """Let a handler raise this, and return its answer."""
        return self._post("call", handler, name)

    def send(self, handler: str, name: str) -> str:
        """Let a handler raise this, and return the invocation's id."""
        return str(self._post("send", handler, name).json()["invocationId"])

    def retries(self, invocation_id: str) -> int:
        """Return how often an invocation was tried."""
        return int(restate_admin.invocation(self.ports.admin_url, invocation_id).get("retry_count", 0))

    def _post(self, verb: str, handler: str, name: str) -> requests.Response:
        url = f"{self.ports.ingress_url}/restate/{verb}/FailingService/{handler}"
        return requests.post(url, json={"name": name}, timeout=10)


@pytest.fixture(scope="module")
def failing(native_stack: Stack) -> Iterator[FailingService]:
    """The failing service beside the Restate twin's."""
    lines: list[str] = []
    module = ["tests.suite.failing_service"]
    with endpoint_beside(restate_twin(native_stack), module, lambda _name, line: lines.append(line)):
        yield FailingService(native_stack.ports, lines)


def test_every_class_of_the_table_is_tried() -> None:
    """The table has no class that this file does not raise, and its classes that end a call are those of ENDS."""
    kinds = {kind for error in RAISED.values() for kind in type(error).__mro__}
    assert [kind for kind in ERRORS if kind not in kinds] == []
    assert {name for name in RAISED if isinstance(ERRORS.get(type(RAISED[name])), Ends)} == {*ENDS} - {"TerminalError"}


@in_handler_and_step
@pytest.mark.parametrize(("name", "status"), ENDS.items())
def test_ends(failing: FailingService, handler: str, name: str, status: int) -> None:
    """An error that no repeat can mend ends the call at once, with a status and without the words of the database."""
    answer = failing.call(handler, name)
    assert answer.status_code == status
    assert "driver" not in answer.text


@in_handler_and_step
def test_repeats_soon(failing: FailingService, handler: str) -> None:
    """The error of a database or a receiver that is down is tried again and again."""
    calls = {name: failing.send(handler, name) for name in SOON}
    for name, call in calls.items():
        until(lambda call=call: failing.retries(call) >= ENOUGH_ATTEMPTS, f"{ENOUGH_ATTEMPTS} attempts after {name}")


@in_handler_and_step
def test_repeats_slowly(failing: FailingService, handler: str) -> None:
    """A fault of the code is kept, is tried again a minute later, and is one line of the log that says where it is."""
    printed = len(failing.lines)
    calls = {name: failing.send(handler, name) for name in SLOWLY}
    for name, call in calls.items():

        def tried(call: str = call) -> dict[str, str]:
            row = restate_admin.invocation(failing.ports.admin_url, call)
            return row if "next_retry_at" in row else {}

        row = until(tried, f"the first attempt after {name}")
        pause = datetime.fromisoformat(row["next_retry_at"]) - datetime.now(UTC)
        assert SLOW_INTERVAL - timedelta(seconds=30) < pause <= SLOW_INTERVAL
        assert name in row["last_failure"]
        until(lambda name=name: _lines_about(name, failing.lines[printed:]), f"a line of the log about {name}")
    assert [len(_lines_about(name, failing.lines[printed:])) for name in SLOWLY] == [1] * len(SLOWLY)
    assert "Traceback" not in "".join(failing.lines)


def _lines_about(name: str, lines: list[str]) -> list[str]:
    return [line for line in lines if f"{name}: " in line and "failing_service.py:" in line]


def test_nothing_is_dropped() -> None:
    """Only the errors that the table names end a call; any other is repeated."""
    assert ERRORS[Exception] is Repeats.SLOWLY
