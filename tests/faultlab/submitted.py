"""An operation that may be submitted several times, and all that its client was told."""

import time
from dataclasses import dataclass, field

import requests

from tests.faultlab.laboratory import CLIENT_TIMEOUT_SECONDS
from tests.support.history import ClientOperation, Outcome
from tests.support.running_twin import RunningTwin

OPERATIONS = ("add", "update", "delete")


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
