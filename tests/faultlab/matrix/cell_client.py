"""The client of one cell: submits its operation, and then gives up or submits it again."""

import contextlib
import threading

import requests

from tests.faultlab.laboratory import CLIENT_TIMEOUT_SECONDS
from tests.faultlab.submitted import SubmittedOperation, ask_for_result
from tests.support.history import Outcome
from tests.support.running_twin import RunningTwin
from tests.support.waiting import StillMissingError, until

PATIENCE_SECONDS = 60.0


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
                twin.operate(session, operation, timeout=CLIENT_TIMEOUT_SECONDS)
        return operation.outcome is Outcome.OK or operation.detail == "404"

    try:
        satisfied = submit_once()
    finally:
        answered.set()
    if healed and not satisfied:
        healed.wait(PATIENCE_SECONDS)
        # Without an answer in all this time the verdict says what became of it.
        with contextlib.suppress(StillMissingError):
            until(submit_once, "an answer", PATIENCE_SECONDS)
