"""The Flask extension: calls handlers through Restate's ingress, once per idempotency key, within the write budget.

It is synchronous, as Flask's views are, and its own, because the SDK's client is async, has no time-out, and can
neither hand over a call without waiting for it nor ask afterwards what has become of it.
"""

import hashlib
import json
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import requests
import tenacity
from flask import Flask, Response, current_app, jsonify
from pydantic import BaseModel
from requests.adapters import HTTPAdapter
from restate.handler import Handler, handler_from_callable
from werkzeug.exceptions import HTTPException, NotFound, ServiceUnavailable

Message = TypeVar("Message", bound=BaseModel)
Result = TypeVar("Result")

OPERATION_HEADER = "operation-id"
"""Tells the handler which call this is: the SDK does not show it the idempotency key."""

CONNECT_TIMEOUT_SECONDS = 0.5
"""The ingress is on this machine or in this network; and it is tried again while the budget lasts."""

MAX_IDLE_CONNECTIONS = 256
"""As many as a process can have threads: none is opened for one request only."""

CONFIRMATION_SHARE = 0.5
"""How much longer than the write budget it may take to hear from the ingress that it has the call."""

NOT_COMPLETED_YET = 470
"""Restate's own status code for an invocation that is still running."""


class PendingError(HTTPException):
    """Restate has the call safely and will finish it, but has not yet."""

    code = 202

    def __init__(self, operation_id: str, handler: str) -> None:
        super().__init__(f"{handler} is pending as {operation_id}")
        self.operation_id = operation_id
        self.handler = handler

    def get_response(self, *_: Any, **__: Any) -> Response:  # noqa: ANN401 - werkzeug's
        """Return the answer, where the application has no better one."""
        response = jsonify(id=self.operation_id, status="pending")
        response.status_code = 202
        return response


class RejectedError(HTTPException):
    """The handler has ended the call with a terminal error: it will never succeed."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = status, reason


class OutcomeUnknownError(ServiceUnavailable):
    """An operator has cancelled or killed the call; it is not known how far it had come."""

    description = "This was stopped. It may have been done: please look before you repeat it."


class UnavailableError(ServiceUnavailable):
    """The ingress did not take the call within the budget. The same idempotency key may be used again."""

    description = "This may not have been taken. It is safe to send it again: it is done only once."

    def __init__(self, cause: object) -> None:
        super().__init__()
        self.cause = cause

    def __str__(self) -> str:
        return f"Restate's ingress cannot be used: {self.cause}"


class _UndecidedError(UnavailableError):
    """The ingress was sent the call and has not answered: it may have it or not."""


class StatusUnavailableError(ServiceUnavailable):
    """Restate cannot be asked at the moment what has become of a call. The call is not affected."""

    description = "What has become of this cannot be told at the moment. Please ask again."


class OperationNotFoundError(NotFound):
    """Restate knows no such operation, or no longer."""


@dataclass(frozen=True)
class Operation:
    """What has become of a call. `unknown`: it was cancelled or killed, and may have been done."""

    status: Literal["pending", "done", "rejected", "unknown"]
    result: Any = None
    """What the handler has returned, as JSON, if it is done."""
    reason: str = ""
    """Why it was rejected."""


class FlaskRestate:
    """The extension. Settings in `app.config`: RESTATE_ENDPOINT, the ingress' address (by default that of the
    environment), and RESTATE_WRITE_BUDGET, how many seconds a request may wait for the result of its call.

    What does not simply succeed is raised, as an exception that Flask answers by itself; an application that has
    better words registers error handlers of its own.
    """

    def init_app(self, app: Flask) -> None:
        """Let the application call Restate."""
        app.config.setdefault("RESTATE_ENDPOINT", os.environ.get("RESTATE_ENDPOINT", "http://127.0.0.1:8080"))
        app.config.setdefault("RESTATE_WRITE_BUDGET", 2.0)
        session = app.extensions["restate"] = requests.Session()
        # The shell's proxies are for the world outside.
        session.trust_env = False
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(pool_maxsize=MAX_IDLE_CONNECTIONS))

    def call(self, handler: Callable[[Any, Message], Awaitable[Result]], message: Message, key: str) -> Result:
        """Call a handler, given as the SDK's decorator returns it, and return its result.

        A call with the idempotency key and message of an earlier one joins that one, whatever became of it.

        Raises:
            PendingError: it was accepted, but has no result yet.
            RejectedError: it was refused, with the handler's status and reason.
            OutcomeUnknownError: it was cancelled or killed.
            UnavailableError: it could not be handed over; nothing was promised.

        """
        target: Handler[Message, Result] = handler_from_callable(handler)
        budget = current_app.config["RESTATE_WRITE_BUDGET"]
        deadline = time.monotonic() + budget
        try:
            response = _post("call", target, message, key, deadline)
        except _UndecidedError:
            # Sending it again under its key does not do it again: it tells that Restate has it,
            # without waiting for the result.
            accepted = _post("send", target, message, key, deadline + budget * CONFIRMATION_SHARE)
            raise PendingError(accepted.json()["invocationId"], target.name) from None
        _raise_for_outcome(response)
        return target.handler_io.output_serde.deserialize(response.content)  # type: ignore[return-value]

    def send(
        self,
        handler: Callable[[Any, Message], Awaitable[Any]],
        message: Message,
        key: str,
        delay: timedelta = timedelta(0),
    ) -> str:
        """Hand a call over, to be made after the delay, and return its operation id; or raise UnavailableError."""
        deadline = time.monotonic() + current_app.config["RESTATE_WRITE_BUDGET"]
        response = _post("send", handler_from_callable(handler), message, key, deadline, delay)
        return str(response.json()["invocationId"])

    def status(self, operation_id: str, timeout: float | None = None) -> Operation:
        """Return what has become of a call, without waiting for it; `timeout` in seconds is for the question.

        Raises:
            OperationNotFoundError: there is no such call.
            StatusUnavailableError: the ingress cannot be asked.

        """
        path = f"/restate/output/{quote(operation_id, safe='')}"
        try:
            response = _send("GET", path, timeout or current_app.config["RESTATE_WRITE_BUDGET"])
            if response.status_code == NOT_COMPLETED_YET:
                return Operation("pending")
            if response.status_code in (400, 404) and not _is_of_the_handler(response):
                raise OperationNotFoundError(f"There is no operation {operation_id}.")
            _raise_for_outcome(response)
        except RejectedError as error:
            return Operation("rejected", reason=error.reason)
        except OutcomeUnknownError:
            return Operation("unknown")
        except (requests.RequestException, UnavailableError) as error:
            raise StatusUnavailableError from error
        return Operation("done", json.loads(response.content) if response.content else None)

    def check(self) -> None:
        """Ask whether the ingress answers, and raise requests.RequestException if it does not."""
        _send("GET", "/restate/health", current_app.config["RESTATE_WRITE_BUDGET"]).raise_for_status()


def _post(
    way: Literal["call", "send"],
    handler: Handler[Any, Any],
    message: BaseModel,
    key: str,
    deadline: float,
    delay: timedelta = timedelta(0),
) -> requests.Response:
    """Post until the ingress takes it, and return the handler's answer or the ingress' good one.

    Raises UnavailableError: the ingress did not take it until the deadline, or has not answered then.
    """
    body = message.model_dump_json(exclude_unset=True)
    name = f"{handler.service_tag.name}/{handler.name}"
    key = idempotency_key(key, body)
    headers = {"content-type": "application/json", "idempotency-key": key, OPERATION_HEADER: f"{name}/{key}"}
    after = f"?delay={int(delay.total_seconds() * 1000)}ms" if delay > timedelta(0) else ""

    def post() -> requests.Response:
        left = max(deadline - time.monotonic(), 0.01)
        try:
            response = _send("POST", f"/restate/{way}/{name}{after}", left, body.encode(), headers)
        except requests.ReadTimeout as error:
            raise _UndecidedError(error) from error
        except requests.RequestException as error:
            raise UnavailableError(error) from error
        if not response.ok and not _is_of_the_handler(response):
            raise UnavailableError(f"{response.status_code}, {response.text[:200]}")
        return response

    retry = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(UnavailableError)
        & tenacity.retry_if_not_exception_type(_UndecidedError),
        wait=tenacity.wait_exponential_jitter(multiplier=0.02, max=0.2, jitter=0.02),
        stop=lambda _state: time.monotonic() >= deadline,
        reraise=True,
    )
    return retry(post)


def _send(
    method: str, path: str, seconds: float, body: bytes | None = None, headers: dict[str, str] | None = None
) -> requests.Response:
    """Send a request and return the answer, or raise requests.RequestException if there is none in time."""
    session: requests.Session = current_app.extensions["restate"]
    url = current_app.config["RESTATE_ENDPOINT"].rstrip("/") + path
    timeout = (min(CONNECT_TIMEOUT_SECONDS, seconds), seconds)
    return session.request(method, url, data=body, headers=headers, timeout=timeout, allow_redirects=False)


def idempotency_key(key: str, body: str) -> str:
    """Return the key that makes a repeated request join the first.

    The body is in it because a browser's Back button brings the form back with its key, to be edited and submitted
    as something new: that must not be taken for the old request and dropped.
    """
    return f"{key}.{hashlib.sha256(body.encode()).hexdigest()[:16]}"


def _is_of_the_handler(response: requests.Response) -> bool:
    # The ingress has errors of its own, such as 404 for a service that is not registered.
    return response.headers.get("x-restate-error-source") == "invocation"


def _raise_for_outcome(response: requests.Response) -> None:
    if response.ok:
        return
    if not _is_of_the_handler(response):
        raise UnavailableError(f"{response.status_code}, {response.text[:200]}")
    reason = str(response.json()["message"])
    if response.status_code == 409 and reason in ("cancelled", "killed"):
        raise OutcomeUnknownError
    raise RejectedError(response.status_code, reason)
