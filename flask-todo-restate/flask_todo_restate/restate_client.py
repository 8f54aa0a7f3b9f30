"""Calls the TodoService through Restate's ingress, exactly once per request id, within the write budget."""

import hashlib
import json
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal, cast
from urllib.parse import quote

import tenacity
import urllib3
from flask import current_app
from pydantic import BaseModel
from werkzeug.local import LocalProxy

from todo_shared.schemas import TodoData

CONNECT_TIMEOUT_SECONDS = 0.5
"""The ingress is on this machine or in this network; and it is tried again while the budget lasts."""

MAX_IDLE_CONNECTIONS = 256
"""As many as a process can have threads: none is opened for one request only."""

CONFIRMATION_SHARE = 0.5
"""How much longer than the write budget it may take to hear from the ingress that it has the call."""

NOT_COMPLETED_YET = 470
"""Restate's own status code for an invocation that is still running."""


class PendingError(Exception):
    """Restate has the call safely and will finish it, but has not yet."""

    def __init__(self, operation_id: str, handler: str) -> None:
        super().__init__(f"{handler} is pending as {operation_id}")
        self.operation_id = operation_id
        self.handler = handler


class RejectedError(Exception):
    """The service has ended the call with a terminal error: it will never succeed."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class UnavailableError(Exception):
    """The ingress did not take the call within the budget. The same request id may be used again."""


class QuestionError(Exception):
    """Restate cannot be asked at the moment what has become of a call. The call is not affected."""


class OperationNotFoundError(LookupError):
    """Restate knows no such operation, or no longer."""


class _UndecidedError(UnavailableError):
    """The ingress was sent the call and has not answered: it may have it or not."""


@dataclass(frozen=True)
class Operation:
    """What has become of a call."""

    status: Literal["pending", "done", "rejected"]
    todo: TodoData | None = None
    """The result, if it is a todo."""
    reason: str = ""


class RestateClient:
    """A client of one ingress; threads may share it."""

    def __init__(self, endpoint: str, write_budget: float) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._write_budget = write_budget
        self._prefix = urllib3.util.parse_url(self._endpoint).path or ""
        self._ingress = urllib3.connection_from_url(self._endpoint, maxsize=MAX_IDLE_CONNECTIONS, retries=False)

    def call(self, handler: str, message: BaseModel | None, request_id: str) -> Any:  # noqa: ANN401 - any JSON
        """Call a handler of the TodoService and return its result.

        A call with the request id and message of an earlier one joins that one, whatever became of it.

        Raises:
            PendingError: it was accepted, but has no result yet.
            RejectedError: it was refused, with the handler's status and reason.
            UnavailableError: it could not be handed over; nothing was promised.

        """
        body = "" if message is None else message.model_dump_json(exclude_unset=True)
        key = idempotency_key(request_id, body)
        deadline = time.monotonic() + self._write_budget
        path = f"/TodoService/{handler}"
        try:
            return _result(self._post(path, key, body, deadline))
        except _UndecidedError:
            # Sending it again under its key does not do it again: it tells that Restate has it,
            # without waiting for the result.
            deadline += self._write_budget * CONFIRMATION_SHARE
            accepted = self._post(f"{path}/send", key, body, deadline)
            raise PendingError(accepted.json()["invocationId"], handler) from None

    def operation(self, operation_id: str, timeout: float | None = None) -> Operation:
        """Return what has become of a call, without waiting for it; `timeout` in seconds is for the question.

        Raises:
            OperationNotFoundError: there is no such call.
            QuestionError: the ingress cannot be asked.

        """
        path = f"/restate/invocation/{quote(operation_id, safe='')}/output"
        timeout = self._write_budget if timeout is None else timeout
        try:
            response = self._send("GET", path, timeout)
        except urllib3.exceptions.HTTPError as error:
            raise QuestionError(f"Restate's ingress at {self._endpoint} cannot be asked") from error
        if response.status == NOT_COMPLETED_YET:
            return Operation("pending")
        if response.status in (400, 404) and not _is_of_the_handler(response):
            raise OperationNotFoundError(f"There is no operation {operation_id}.")
        try:
            result = _result(response)
        except RejectedError as error:
            return Operation("rejected", reason=error.reason)
        except UnavailableError as error:
            raise QuestionError(str(error)) from error
        return Operation("done", TodoData(**result) if result else None)

    def check(self) -> None:
        """Ask whether the ingress answers.

        Raises:
            ConnectionError: it does not.

        """
        try:
            response = self._send("GET", "/restate/health", self._write_budget)
        except urllib3.exceptions.HTTPError as error:
            raise ConnectionError(str(error)) from error
        if not _ok(response):
            raise ConnectionError(_own_error(response))

    def close(self) -> None:
        """Close the idle connections."""
        self._ingress.close()

    def _post(self, path: str, key: str, body: str, deadline: float) -> urllib3.BaseHTTPResponse:
        """Post until the ingress takes it, and return the handler's answer or the ingress' good one.

        Raises:
            UnavailableError: the ingress did not take it until the deadline, or has not answered then.

        """
        retry = tenacity.Retrying(
            retry=tenacity.retry_if_exception(
                lambda error: isinstance(error, UnavailableError) and not isinstance(error, _UndecidedError)
            ),
            wait=tenacity.wait_exponential_jitter(multiplier=0.02, max=0.2, jitter=0.02),
            stop=lambda _state: time.monotonic() >= deadline,
            reraise=True,
        )
        return retry(self._post_once, path, key, body, deadline)

    def _post_once(self, path: str, key: str, body: str, deadline: float) -> urllib3.BaseHTTPResponse:
        left = max(deadline - time.monotonic(), 0.01)
        headers = {"idempotency-key": key}
        if body:
            headers["content-type"] = "application/json"
        try:
            response = self._send("POST", path, left, body.encode(), headers)
        except urllib3.exceptions.ReadTimeoutError as error:
            raise _UndecidedError(f"Restate's ingress at {self._endpoint} has not answered") from error
        except urllib3.exceptions.HTTPError as error:
            raise UnavailableError(f"Restate's ingress at {self._endpoint} cannot be reached") from error
        if not _ok(response) and not _is_of_the_handler(response):
            raise UnavailableError(_own_error(response))
        return response

    def _send(
        self, method: str, path: str, seconds: float, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> urllib3.BaseHTTPResponse:
        """Send a request and return the answer with its body; a kept connection is used by one request at a time.

        Raises:
            urllib3.exceptions.HTTPError: there was none in so many seconds.

        """
        timeout = urllib3.Timeout(connect=min(CONNECT_TIMEOUT_SECONDS, seconds), read=seconds)
        return self._ingress.urlopen(method, self._prefix + path, body, headers, timeout=timeout, redirect=False)


def idempotency_key(request_id: str, body: str) -> str:
    """Return the key that makes a repeated request join the first.

    The body is in it because a browser's Back button brings the form back with its request id, to be edited
    and submitted as something new: that must not be taken for the old request and dropped.
    """
    return f"{request_id}.{hashlib.sha256(body.encode()).hexdigest()[:16]}"


def _ok(response: urllib3.BaseHTTPResponse) -> bool:
    return response.status < HTTPStatus.BAD_REQUEST


def _is_of_the_handler(response: urllib3.BaseHTTPResponse) -> bool:
    # The ingress has errors of its own, such as 404 for a service that is not registered.
    return response.headers.get("x-restate-error-source") == "invocation"


def _own_error(response: urllib3.BaseHTTPResponse) -> str:
    return f"Restate's ingress answered {response.status}: {response.data[:200].decode(errors='replace')}"


def _result(response: urllib3.BaseHTTPResponse) -> Any:  # noqa: ANN401 - any JSON
    if _ok(response):
        return json.loads(response.data) if response.data else None
    if _is_of_the_handler(response):
        raise RejectedError(response.status, response.json()["message"])
    raise UnavailableError(_own_error(response))


restate_client = cast(RestateClient, LocalProxy(lambda: current_app.extensions["restate"]))
"""The client of the current application."""
