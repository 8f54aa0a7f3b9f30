"""An operation that may be submitted several times, and all that its client was told."""

import contextlib
import threading
import time
from dataclasses import dataclass, field

import requests

from tests.faultlab.laboratory import CLIENT_TIMEOUT_SECONDS
from tests.support.history import ClientOperation, Outcome
from tests.support.running_twin import RunningTwin
from tests.support.waiting import StillMissingError, until

PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class ClientAnswer:
    """What a client was told, and when: seconds of the monotonic clock, unless said otherwise."""

    at: float
    outcome: Outcome
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.outcome.value} ({self.detail})"


@dataclass
class SubmittedOperation(ClientOperation):
    """An operation with every answer; `outcome` is that of the last one."""

    answers: list[ClientAnswer] = field(default_factory=list)

    def record(self, outcome: Outcome, detail: str) -> None:
        """Record what the client was told, now."""
        super().record(outcome, detail)
        self.answers.append(ClientAnswer(time.monotonic(), outcome, detail))


def ask_for_result(twin: RunningTwin, operation: ClientOperation) -> None:
    """Ask, as its client would, what became of a pending operation; record its end if it has one."""
    url = f"{twin.url}/api/operations/{operation.operation_id}"
    try:
        answer = requests.get(url, timeout=CLIENT_TIMEOUT_SECONDS).json()
    except requests.RequestException:
        return
    if answer["status"] == "done":
        operation.record(Outcome.OK, "done")
    elif answer["status"] == "rejected":
        operation.record(Outcome.FAIL, answer["reason"])


def submit(
    twin: RunningTwin, operation: SubmittedOperation, answered: threading.Event, healed: threading.Event | None
) -> None:
    """Submit an operation, set `answered` when it has an outcome, and give up unless `healed` is given.

    Once that is set, it is submitted again until its client is told that it worked, or that there is nothing to do.
    """

    def submit_once() -> bool:
        if operation.outcome is Outcome.PENDING:
            ask_for_result(twin, operation)
        else:
            # A connection of its own, so that what happens to it happens to this operation alone.
            with requests.Session() as session:
                twin.operate(operation, session, timeout=CLIENT_TIMEOUT_SECONDS)
        # Refused for good, it is not asked for again.
        return operation.outcome is Outcome.OK or operation.detail.startswith("4")

    try:
        satisfied = submit_once()
    finally:
        answered.set()
    if healed and not satisfied:
        healed.wait(PATIENCE_SECONDS)
        # Without an answer in all this time the verdict says what became of it.
        with contextlib.suppress(StillMissingError):
            until(submit_once, "an answer", PATIENCE_SECONDS)
