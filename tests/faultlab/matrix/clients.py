"""The client of one operation: submits it, and as it is told, gives up or submits it again."""

import threading
import time
from dataclasses import dataclass, field

import requests

from tests.faultlab.laboratory import CLIENT_TIMEOUT_SECONDS
from tests.faultlab.matrix.rules import RESUBMITS
from tests.faultlab.matrix.seams import Target
from tests.support.history import ClientOperation, Outcome
from tests.support.running_twin import RunningTwin

PATIENCE_SECONDS = 60.0
POLL_SECONDS = 0.05


@dataclass
class Client:
    """Carries out one operation. `answered` is set when its first submission has an outcome."""

    twin: RunningTwin
    target: Target
    behaviour: str
    over: threading.Event
    """Set when the fault is over: nobody submits again before."""
    operation: ClientOperation = field(init=False)
    told: list[tuple[float, Outcome, str]] = field(default_factory=list)
    """What each submission was told, and when (monotonic clock)."""
    answered: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.operation = ClientOperation(self.target.operation, self.target.text, self.target.key, self.target.todo_id)

    def run(self) -> None:
        """Submit; a client that resubmits does so until it is told that it worked, or that there is nothing to do."""
        try:
            self._submit()
        finally:
            self.answered.set()
        if self.behaviour != RESUBMITS:
            return
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._satisfied() and time.monotonic() < deadline:
            self.over.wait(deadline - time.monotonic())
            if self.operation.outcome is Outcome.PENDING:
                self._ask()
            else:
                self._submit()
            if not self._satisfied():
                threading.Event().wait(POLL_SECONDS)

    def _satisfied(self) -> bool:
        return self.operation.outcome is Outcome.OK or self.operation.detail == "404"

    def _submit(self) -> None:
        # A connection of its own, so that what happens to it happens to this operation alone.
        with requests.Session() as session:
            self.twin.operate(session, self.operation, timeout=CLIENT_TIMEOUT_SECONDS)
        self._note()

    def _ask(self) -> None:
        """Ask what became of the operation that was promised."""
        url = f"{self.twin.url}/api/operations/{self.operation.operation_id}"
        try:
            answer = requests.get(url, timeout=CLIENT_TIMEOUT_SECONDS).json()
        except requests.RequestException:
            return
        if answer["status"] == "done":
            self.operation.record(Outcome.OK, "done")
            self._note()
        elif answer["status"] == "rejected":
            self.operation.record(Outcome.FAIL, answer["reason"])
            self._note()

    def _note(self) -> None:
        self.told.append(
            (self.operation.completed_at or time.monotonic(), self.operation.outcome, self.operation.detail)
        )
