"""What becomes of a call whose handler fails, class by class of the table in flask_restate.errors."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from flask_restate.errors import ERRORS, SLOW_INTERVAL, Ends, Repeats
from tests.suite.failing_service import RAISED
from tests.support import restate_admin
from tests.support.running_twin import restate_twin
from tests.support.service_endpoint import endpoint_beside
from tests.support.user import new_name
from tests.support.waiting import until
from todo_stack.ports import Ports
from todo_stack.stack import Stack

ENDS = {
    "TodoNotFoundError": 404,
    "NotSetError": 404,
    "ConflictError": 409,
    "DeclinedError": 402,
    "IntegrityError": 409,
    "DataError": 422,
    "ValueError of the driver": 422,
    "TerminalError": 418,
}
SLOWLY = ("ProgrammingError", "KeyError", "TypeError", "ValueError", "requests.HTTPError 404")
SOON = [name for name in RAISED if name not in ENDS and name not in SLOWLY]
ENOUGH_ATTEMPTS = 4

in_handler_and_step = pytest.mark.parametrize("handler", ["in_handler", "in_step", "in_step_without_ledger"])


@dataclass(frozen=True)
class FailingService:
    """The running service of failing_service.py, and what it has printed."""

    ports: Ports
    lines: list[str]

    def post(self, verb: str, handler: str, name: str) -> requests.Response:
        """Let a handler raise this: `call` waits for its answer, `send` does not."""
        url = f"{self.ports.ingress_url}/restate/{verb}/FailingService/{handler}"
        return requests.post(url, json={"name": name}, timeout=10)

    def invocation_when(self, condition: Callable[[dict[str, Any]], bool], handler: str, name: str) -> dict[str, Any]:
        """Let a handler raise this, wait until the condition holds for its invocation, and return that."""
        invocation_id = str(self.post("send", handler, name).json()["invocationId"])

        def invocation() -> dict[str, Any]:
            row = restate_admin.invocation(self.ports.admin_url, invocation_id)
            return row if condition(row) else {}

        return until(invocation, f"what is expected of {name} in {handler}")


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
    assert {name for name in RAISED if isinstance(ERRORS.get(type(RAISED[name])), Ends)} == {*ENDS} - {
        "TerminalError",
        "ValueError of the driver",
    }


@in_handler_and_step
@pytest.mark.parametrize(("name", "status"), ENDS.items())
def test_ends(failing: FailingService, handler: str, name: str, status: int) -> None:
    """An error that no repeat can mend ends the call at once, with a status and without the words of the database."""
    answer = failing.post("call", handler, name)
    assert answer.status_code == status
    assert "driver" not in answer.text


@in_handler_and_step
@pytest.mark.parametrize("name", SOON)
def test_repeats_soon(failing: FailingService, handler: str, name: str) -> None:
    """The error of a database or a receiver that is down is tried again and again."""
    failing.invocation_when(lambda row: row.get("retry_count", 0) >= ENOUGH_ATTEMPTS, handler, name)


@in_handler_and_step
@pytest.mark.parametrize("name", SLOWLY)
def test_repeats_slowly(failing: FailingService, handler: str, name: str) -> None:
    """A fault of the code is kept, is tried again a minute later, and is one line of the log that says where it is."""
    printed = len(failing.lines)
    row = failing.invocation_when(lambda row: "next_retry_at" in row, handler, name)
    pause = datetime.fromisoformat(row["next_retry_at"]) - datetime.now(UTC)
    assert SLOW_INTERVAL - timedelta(seconds=30) < pause <= SLOW_INTERVAL
    kind = name.removeprefix("requests.").partition(" ")[0]
    assert kind in row["last_failure"]
    (line,) = [line for line in failing.lines[printed:] if f"{kind}: " in line]
    assert "failing_service.py:" in line
    assert "Traceback" not in "".join(failing.lines)


def test_nothing_is_dropped() -> None:
    """Only the errors that the table names end a call; any other is repeated."""
    assert ERRORS[Exception] is Repeats.SLOWLY


def test_steps_of_the_same_name(failing: FailingService, native_stack: Stack) -> None:
    """Steps whose functions have the same name, as in a loop, are steps of their own."""
    twin, name = restate_twin(native_stack), new_name("three")
    wanted = [f"{name} {number}" for number in range(3)]
    assert failing.post("call", "add_three", name).json() == wanted
    assert twin.tasks(name) == wanted


def test_result_that_cannot_be_journalled(failing: FailingService, native_stack: Stack) -> None:
    """A result that the SDK cannot write is a fault of the code, found before anything is committed."""
    twin, name = restate_twin(native_stack), new_name("list")
    row = failing.invocation_when(lambda row: "next_retry_at" in row, "add_and_return_what_cannot_be_journalled", name)
    assert "TypeError" in row["last_failure"]
    assert twin.tasks(name) == []
