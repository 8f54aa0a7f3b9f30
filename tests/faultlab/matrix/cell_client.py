"""The client of one cell: submits its operation, and then gives up or submits it again."""

import contextlib
import threading
from dataclasses import dataclass, field

import requests

from tests.faultlab.laboratory import CLIENT_TIMEOUT_SECONDS
from tests.faultlab.submitted import SubmittedOperation, ask_for_result
from tests.support.history import Outcome
from tests.support.running_twin import RunningTwin
from tests.support.waiting import StillMissingError, until

PATIENCE_SECONDS = 60.0


@dataclass
class CellClient:
    """Carries out one operation. `answered` is set when its first submission has an outcome."""

    twin: RunningTwin
    operation: SubmittedOperation
    resubmits: bool
    healed: threading.Event
    """Set when the fault is over: the client does not submit again before."""
    answered: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Submit; a client that resubmits does so until it is told that it worked, or that there is nothing to do."""
        try:
            self._submit()
        finally:
            self.answered.set()
        if self.resubmits and not self._satisfied():
            self.healed.wait(PATIENCE_SECONDS)
            # Without an answer in all this time the verdict says what became of it.
            with contextlib.suppress(StillMissingError):
                until(self._satisfied_by_another_try, "an answer", PATIENCE_SECONDS)

    def _satisfied(self) -> bool:
        return self.operation.outcome is Outcome.OK or self.operation.detail == "404"

    def _satisfied_by_another_try(self) -> bool:
        if self.operation.outcome is Outcome.PENDING:
            ask_for_result(self.twin, self.operation)
        else:
            self._submit()
        return self._satisfied()

    def _submit(self) -> None:
        # A connection of its own, so that what happens to it happens to this operation alone.
        with requests.Session() as session:
            self.twin.operate(session, self.operation, timeout=CLIENT_TIMEOUT_SECONDS)
