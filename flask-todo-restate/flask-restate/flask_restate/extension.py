"""The Flask extension: calls handlers through Restate's ingress, once per idempotency key, within the write budget.

It is synchronous, like Flask's views. It does not use the SDK's client, because that is async, has no time-out, cannot
hand over a call without waiting for it, and cannot ask later what happened to a call.
"""

import hashlib
import json
import os
import re
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
Handles = Callable[[Any, Message], Awaitable[Result]]

NOW = timedelta(0)
SEND = "/restate/send/{}"

HEADER_VALUE = re.compile(r"[\x21-\x7e]{1,255}")
# Tells the handler which call this is, because the SDK does not show it the idempotency key.
OPERATION_HEADER = "operation-id"
# Short, because the ingress is on this machine or network and is tried again while the budget lasts.
CONNECT_TIMEOUT_SECONDS = 0.5
# What the SDK says of a call that an operator cancelled, and the server of one that was not begun, or was killed.
STOPPED = ("cancelled", "canceled", "killed")
# As many as a process can have threads, so that every connection is reused.
MAX_IDLE_CONNECTIONS = 256
# How long to wait, after the write budget, for the ingress to confirm the call; a share of that budget.
CONFIRMATION_SHARE = 0.5


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


class _UndecidedError(UnavailableError):
    """The call was sent to the ingress, which has not answered. It may or may not have the call."""


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


class _Adapter(HTTPAdapter):
    """Sends what Restate understands."""

    def add_headers(self, request: requests.PreparedRequest, **_: object) -> None:
        """Say of a trace only whether it is sampled: for more than that, such as a random id, Restate forgets it."""
        if trace := request.headers.get("traceparent"):
            ids, flags = trace.rsplit("-", 1)
            request.headers["traceparent"] = f"{ids}-{int(flags, 16) & 1:02x}"


class FlaskRestate:
    """The extension. Settings in `app.config`: RESTATE_ENDPOINT, the address of the ingress (by default the one in the
    environment), and RESTATE_WRITE_BUDGET, how many seconds a request may wait for the result of its call.

    A call that does not simply succeed raises an exception, which Flask answers by itself. Applications that want
    other words register error handlers.
    """

    def __init__(self, app: Flask | None = None) -> None:
        if app:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Let the application call Restate."""
        app.config.setdefault("RESTATE_ENDPOINT", os.environ.get("RESTATE_ENDPOINT", "http://127.0.0.1:8080"))
        app.config.setdefault("RESTATE_WRITE_BUDGET", 2.0)
        session = app.extensions["restate"] = requests.Session()
        # Proxies that are set in the shell are for the internet.
        session.trust_env = False
        for scheme in ("http://", "https://"):
            session.mount(scheme, _Adapter(pool_maxsize=MAX_IDLE_CONNECTIONS))

    def call(self, handler: Handles[Message, Result], message: Message, key: str, object_key: str = "") -> Result:
        """Call a handler, given as the SDK's decorator returns it, and return its result.

        `object_key` names the virtual object, if the handler is one's. A call with the same idempotency key and
        message as an earlier one joins that one, and gets its outcome.

        Raises PendingError: Restate accepted the call, but it has no result yet; RejectedError: the handler refused,
        with a status and a reason; OutcomeUnknownError: the call was cancelled or killed; UnavailableError: the call
        could not be handed over, and nothing was promised.
        """
        target: Handler[Message, Result] = handler_from_callable(handler)
        address = _address(target, object_key)
        budget = current_app.config["RESTATE_WRITE_BUDGET"]
        deadline = time.monotonic() + budget
        try:
            response = _post("/restate/call/{}", address, message, key, deadline)
        except _UndecidedError:
            # Sent again with its key, the call is not done twice. The answer only confirms that Restate has it,
            # and comes without waiting for the result.
            accepted = _post(SEND, address, message, key, deadline + budget * CONFIRMATION_SHARE)
            raise PendingError(accepted.json()["invocationId"], target.name) from None
        _raise_for_outcome(response)
        return target.handler_io.output_serde.deserialize(response.content)  # type: ignore[return-value]  # untyped

    def send(self, handler: Handles[Message, Any], message: Message, key: str, delay: timedelta = NOW) -> str:
        """Hand over a call, to be made after the delay. Return its operation id or raise UnavailableError."""
        deadline = time.monotonic() + current_app.config["RESTATE_WRITE_BUDGET"]
        path = f"/restate/send/{{}}?delay={int(delay.total_seconds() * 1000)}ms" if delay > NOW else SEND
        response = _post(path, _address(handler_from_callable(handler)), message, key, deadline)
        return str(response.json()["invocationId"])

    def status(self, operation_id: str, timeout: float | None = None) -> OperationState:
        """Return the state of a call, without waiting for its result; `timeout` limits this question, in seconds.

        Raises OperationNotFoundError: there is no such call; StatusUnavailableError: the ingress does not answer.
        """
        path = f"/restate/output/{quote(operation_id, safe='')}"
        try:
            response = _send("GET", path, timeout or current_app.config["RESTATE_WRITE_BUDGET"])
            if response.status_code == 470:  # Restate's own code: still running
                return OperationState("pending")
            if response.status_code in (400, 404) and not _is_of_the_handler(response):
                raise OperationNotFoundError(f"There is no operation {operation_id}.")
            _raise_for_outcome(response)
        except RejectedError as error:
            return OperationState("rejected", reason=error.reason)
        except OutcomeUnknownError:
            return OperationState("unknown")
        except (requests.RequestException, UnavailableError) as error:
            raise StatusUnavailableError from error
        return OperationState("done", json.loads(response.content) if response.content else None)

    def check(self) -> None:
        """Raise requests.RequestException unless the ingress is healthy."""
        _send("GET", "/restate/health", current_app.config["RESTATE_WRITE_BUDGET"]).raise_for_status()


def _address(handler: Handler[Any, Any], object_key: str = "") -> str:
    """Return the path of a handler below the ingress' commands."""
    keyed = [] if handler.service_tag.kind == "service" else [quote(object_key, safe="")]
    return "/".join([handler.service_tag.name, *keyed, handler.name])


def _post(path: str, address: str, message: BaseModel, key: str, deadline: float) -> requests.Response:
    """Post the call until the ingress accepts it, and return the answer of the ingress or the handler.

    Raises UnavailableError: the ingress has not accepted the call by the deadline, or has not answered.
    """
    body = message.model_dump_json(by_alias=True)
    key = idempotency_key(key, body)
    headers = {"content-type": "application/json", "idempotency-key": key, OPERATION_HEADER: f"{address}/{key}"}

    def post() -> requests.Response:
        left = max(deadline - time.monotonic(), 0.01)
        try:
            response = _send("POST", path.format(address), left, body.encode(), headers)
        except requests.ReadTimeout as error:
            raise _UndecidedError from error
        except requests.RequestException as error:
            if isinstance(error, ValueError):
                raise  # The configured address is no URL.
            raise UnavailableError from error
        _raise_for_ingress(response)
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
    """Send a request and return the answer, or raise requests.RequestException if none comes in time."""
    session: requests.Session = current_app.extensions["restate"]
    url = current_app.config["RESTATE_ENDPOINT"].rstrip("/") + path
    timeout = (min(CONNECT_TIMEOUT_SECONDS, seconds), seconds)
    return session.request(method, url, data=body, headers=headers, timeout=timeout, allow_redirects=False)


def idempotency_key(key: str, body: str) -> str:
    """Return the key that makes a repeated request join the first.

    The key includes the body: with a browser's Back button, a user gets a form with its old key, edits it and submits
    it as something new. That must not be mistaken for the old request and dropped.
    """
    if not HEADER_VALUE.fullmatch(key):
        key = hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()
    return f"{key}.{hashlib.sha256(body.encode()).hexdigest()[:16]}"


def _is_of_the_handler(response: requests.Response) -> bool:
    # The ingress also has errors of its own, such as 404 for a service that is not registered.
    return response.headers.get("x-restate-error-source") == "invocation"


def _raise_for_ingress(response: requests.Response) -> None:
    """Raise for the ingress' own answer: it is unavailable, or refuses what nobody would accept."""
    if response.ok or _is_of_the_handler(response):
        return
    if response.status_code in (400, 405, 413, 415, 422):
        raise RejectedError(response.status_code, response.text[:200])
    raise UnavailableError from ConnectionError(f"{response.status_code}, {response.text[:200]}")


def _raise_for_outcome(response: requests.Response) -> None:
    _raise_for_ingress(response)
    if response.ok:
        return
    answer = response.json()
    reason = str(answer["message"])
    # The step may still run, and commit. A refusal of the application in the same words has metadata.
    if response.status_code == 409 and reason in STOPPED and not answer.get("metadata"):
        raise OutcomeUnknownError
    raise RejectedError(response.status_code, reason)
