"""The Flask extension: calls handlers through Restate's ingress, once per idempotency key, within the write budget.

It is synchronous, like Flask's views. It does not use the SDK's client, because that is async, has no time-out, cannot
hand over a call without waiting for it, and cannot ask later what happened to a call.
"""

import json
import os
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import quote

import requests
from flask import Flask, current_app
from pydantic import BaseModel
from restate.handler import Handler, handler_from_callable

from flask_restate import ingress
from flask_restate.addresses import check_addresses
from flask_restate.ingress import OPERATION_HEADER, idempotency_key
from flask_restate.outcomes import (
    STILL_RUNNING,
    OperationNotFoundError,
    OperationState,
    OutcomeUnknownError,
    PendingError,
    RejectedError,
    StatusUnavailableError,
    UnavailableError,
    UndecidedError,
    is_of_the_handler,
    raise_for_outcome,
)
from flask_restate.session import IngressSession

__all__ = [
    "OPERATION_HEADER",
    "FlaskRestate",
    "Handles",
    "Message",
    "OperationNotFoundError",
    "OperationState",
    "OutcomeUnknownError",
    "PendingError",
    "RejectedError",
    "Result",
    "StatusUnavailableError",
    "UnavailableError",
    "idempotency_key",
]

Message = TypeVar("Message", bound=BaseModel)
Result = TypeVar("Result")
Handles = Callable[[Any, Message], Awaitable[Result]]

NOW = timedelta(0)
SEND = "/restate/send/{}"
# How long to wait, after the write budget, for the ingress to confirm the call; a share of that budget.
CONFIRMATION_SHARE = 0.5


class FlaskRestate:
    """The extension. Settings in `app.config`: RESTATE_ENDPOINT, the address of the ingress, or several of a cluster,
    separated by commas (by default what the environment has), and RESTATE_WRITE_BUDGET, how many seconds a request may
    wait for the result of its call.

    A call that does not simply succeed raises an exception, which Flask answers by itself. Applications that want
    other words register error handlers.
    """

    def __init__(self, app: Flask | None = None) -> None:
        if app:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Let the application call Restate. Raises ValueError: RESTATE_ENDPOINT has no address, or one is none."""
        app.config.setdefault("RESTATE_ENDPOINT", os.environ.get("RESTATE_ENDPOINT", "http://127.0.0.1:8080"))
        app.config.setdefault("RESTATE_WRITE_BUDGET", 2.0)
        try:
            check_addresses(app.config["RESTATE_ENDPOINT"])
        except ValueError as error:
            raise ValueError(f"RESTATE_ENDPOINT: {error}") from None
        app.extensions["restate"] = IngressSession()

    def call(self, handler: Handles[Message, Result], message: Message, key: str, object_key: str = "") -> Result:
        """Call a handler, given as the SDK's decorator returns it, and return its result.

        `object_key` names the virtual object, if the handler is one's. A call with the same idempotency key and
        message as an earlier one joins that one, and gets its outcome.

        Raises PendingError: Restate accepted the call, but it has no result yet; RejectedError: the handler refused,
        with a status and a reason; OutcomeUnknownError: the call was cancelled or killed; UnavailableError: the call
        could not be handed over, and nothing was promised.
        """
        target: Handler[Message, Result] = handler_from_callable(handler)
        address = ingress.path_of(target, object_key)
        budget = current_app.config["RESTATE_WRITE_BUDGET"]
        deadline = time.monotonic() + budget
        try:
            response = ingress.post("/restate/call/{}", address, message, key, deadline)
        except UndecidedError:
            # Sent again with its key, the call is not done twice. The answer only confirms that Restate has it,
            # and comes without waiting for the result.
            accepted = ingress.post(SEND, address, message, key, deadline + budget * CONFIRMATION_SHARE)
            raise PendingError(accepted.json()["invocationId"], target.name) from None
        raise_for_outcome(response)
        return target.handler_io.output_serde.deserialize(response.content)  # type: ignore[return-value]  # untyped

    def send(self, handler: Handles[Message, Any], message: Message, key: str, delay: timedelta = NOW) -> str:
        """Hand over a call, to be made after the delay. Return its operation id or raise UnavailableError."""
        deadline = time.monotonic() + current_app.config["RESTATE_WRITE_BUDGET"]
        path = f"/restate/send/{{}}?delay={int(delay.total_seconds() * 1000)}ms" if delay > NOW else SEND
        response = ingress.post(path, ingress.path_of(handler_from_callable(handler)), message, key, deadline)
        return str(response.json()["invocationId"])

    def status(self, operation_id: str, timeout: float | None = None) -> OperationState:
        """Return the state of a call, without waiting for its result; `timeout` limits this question, in seconds.

        Raises OperationNotFoundError: there is no such call; StatusUnavailableError: the ingress does not answer.
        """
        path = f"/restate/output/{quote(operation_id, safe='')}"
        try:
            # A node that is cut off may not know of a call that the others have: most must say so.
            response = ingress.get(path, timeout or current_app.config["RESTATE_WRITE_BUDGET"], by_most=_is_unknown)
            if response.status_code == STILL_RUNNING:
                return OperationState("pending")
            if _is_unknown(response):
                raise OperationNotFoundError(f"There is no operation {operation_id}.")
            raise_for_outcome(response)
        except RejectedError as error:
            return OperationState("rejected", reason=error.reason)
        except OutcomeUnknownError:
            return OperationState("unknown")
        except requests.RequestException as error:
            raise StatusUnavailableError from error
        return OperationState("done", json.loads(response.content) if response.content else None)

    def check(self) -> None:
        """Raise requests.RequestException unless the ingress is healthy, at half of its addresses at least."""
        ingress.check(current_app.config["RESTATE_WRITE_BUDGET"])


def _is_unknown(response: requests.Response) -> bool:
    return response.status_code in (400, 404) and not is_of_the_handler(response)
