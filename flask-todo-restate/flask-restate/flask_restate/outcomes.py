"""What may become of a call, beside its result: the errors that a caller may get, and which answers mean them."""

from dataclasses import dataclass
from typing import Any, Literal

import requests
from flask import Response, current_app, jsonify
from werkzeug.exceptions import HTTPException, NotFound, ServiceUnavailable

# What the SDK says of a call that an operator cancelled, and the server of one that was not begun, or was killed.
STOPPED = ("cancelled", "canceled", "killed")
# Restate's own status.
STILL_RUNNING = 470
# What the ingress answers to a call that it would never take.
REFUSALS = (400, 405, 413, 415, 422)


class PendingError(HTTPException):
    """Restate has stored the call and will finish it, but has not done so yet."""

    code = 202

    def __init__(self, operation_id: str, handler: str) -> None:
        super().__init__(f"{handler} is pending as {operation_id}")
        self.operation_id = operation_id
        self.handler = handler

    def get_response(self, *_: object, **__: object) -> Response:
        """Return the default answer, for applications that register no error handler."""
        return current_app.make_response((jsonify(id=self.operation_id, status="pending"), 202))


class RejectedError(HTTPException):
    """The handler ended the call with a terminal error. It will never succeed."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = status, reason


class OutcomeUnknownError(ServiceUnavailable):
    """An operator cancelled or killed the call, and how far it got is unknown."""

    description = "This was stopped, but it may have been done. Please check before you repeat it."


class UnavailableError(ServiceUnavailable):
    """The ingress did not accept the call within the budget. Retrying with the same idempotency key is safe."""

    description = "This may not have been accepted. It is safe to send it again: it is done only once."


class UndecidedError(UnavailableError):
    """The call was sent to the ingress, which has not answered. It may or may not have the call; `call` finds out."""


class StatusUnavailableError(ServiceUnavailable):
    """Restate cannot be asked about a call at the moment. The call itself is not affected."""

    description = "The state of this operation is not available at the moment. Please ask again."


class OperationNotFoundError(NotFound):
    """Restate does not know this operation, or has forgotten it."""


@dataclass(frozen=True)
class OperationState:
    """The state of a call. `unknown`: it was cancelled or killed, and may have been done."""

    status: Literal["pending", "done", "rejected", "unknown"]
    result: Any = None  # What the handler returned, as JSON, if the call is done.
    reason: str = ""  # Why it was rejected.


def is_of_the_handler(response: requests.Response) -> bool:
    """Return whether the handler has answered, and not the ingress itself."""
    # The ingress also has errors of its own, such as 404 for a service that is not registered.
    return response.headers.get("x-restate-error-source") == "invocation"


def is_unavailable(response: requests.Response) -> bool:
    """Return whether the ingress itself has answered that it cannot take or tell the call."""
    return not (response.ok or is_of_the_handler(response) or response.status_code in (STILL_RUNNING, *REFUSALS))


def raise_for_ingress(response: requests.Response) -> None:
    """Raise RejectedError if the ingress itself refuses what nobody would accept."""
    if response.status_code in REFUSALS and not is_of_the_handler(response):
        raise RejectedError(response.status_code, response.text[:200])


def raise_for_outcome(response: requests.Response) -> None:
    """Raise what the answer means, unless the call is done: also RejectedError or OutcomeUnknownError."""
    raise_for_ingress(response)
    if response.ok:
        return
    answer = response.json()
    reason = str(answer["message"])
    # The step may still run, and commit. A refusal of the application in the same words has metadata.
    if response.status_code == 409 and reason in STOPPED and not answer.get("metadata"):
        raise OutcomeUnknownError
    raise RejectedError(response.status_code, reason)
