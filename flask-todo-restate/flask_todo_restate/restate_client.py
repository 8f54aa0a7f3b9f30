"""Calls the TodoService through Restate's ingress, exactly once per request id, within the write budget."""

import hashlib
import json
import threading
import time
from dataclasses import dataclass
from typing import Any, Literal, cast
from urllib.parse import quote

import requests
import tenacity
from flask import current_app
from pydantic import BaseModel
from werkzeug.local import LocalProxy

from todo_shared.schemas import TodoData

CONNECT_TIMEOUT_SECONDS = 0.5
"""The ingress is on this machine or in this network; and it is tried again while the budget lasts."""

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
        self._sessions: dict[int, requests.Session] = {}

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
            response = self._session.get(
                self._endpoint + path, timeout=(min(CONNECT_TIMEOUT_SECONDS, timeout), timeout)
            )
        except requests.RequestException as error:
            raise QuestionError(f"Restate's ingress at {self._endpoint} cannot be asked") from error
        if response.status_code == NOT_COMPLETED_YET:
            return Operation("pending")
        if response.status_code in (400, 404) and not _is_of_the_handler(response):
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
            requests.RequestException: it does not.

        """
        timeouts = (CONNECT_TIMEOUT_SECONDS, self._write_budget)
        self._session.get(f"{self._endpoint}/restate/health", timeout=timeouts).raise_for_status()

    def close(self) -> None:
        """Close the connections of all threads."""
        for session in self._sessions.values():
            session.close()

    def _post(self, path: str, key: str, body: str, deadline: float) -> requests.Response:
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

    def _post_once(self, path: str, key: str, body: str, deadline: float) -> requests.Response:
        left = max(deadline - time.monotonic(), 0.01)
        headers = {"idempotency-key": key}
        if body:
            headers["content-type"] = "application/json"
        timeouts = (min(CONNECT_TIMEOUT_SECONDS, left), left)
        try:
            response = self._session.post(self._endpoint + path, data=body.encode(), headers=headers, timeout=timeouts)
        except requests.ReadTimeout as error:
            raise _UndecidedError(f"Restate's ingress at {self._endpoint} has not answered") from error
        except requests.RequestException as error:
            raise UnavailableError(f"Restate's ingress at {self._endpoint} cannot be reached") from error
        if not response.ok and not _is_of_the_handler(response):
            raise UnavailableError(_own_error(response))
        return response

    @property
    def _session(self) -> requests.Session:
        """A session of this thread, so that its connection is kept and used by one request at a time."""
        thread = threading.get_ident()
        if thread not in self._sessions:
            session = self._sessions[thread] = requests.Session()
            # No proxies or netrc: the ingress is a neighbour, and looking for them takes time.
            session.trust_env = False
        return self._sessions[thread]


def idempotency_key(request_id: str, body: str) -> str:
    """Return the key that makes a repeated request join the first.

    The body is in it because a browser's Back button brings the form back with its request id, to be edited
    and submitted as something new: that must not be taken for the old request and dropped.
    """
    return f"{request_id}.{hashlib.sha256(body.encode()).hexdigest()[:16]}"


def _is_of_the_handler(response: requests.Response) -> bool:
    # The ingress has errors of its own, such as 404 for a service that is not registered.
    return response.headers.get("x-restate-error-source") == "invocation"


def _own_error(response: requests.Response) -> str:
    return f"Restate's ingress answered {response.status_code}: {response.text[:200]}"


def _result(response: requests.Response) -> Any:  # noqa: ANN401 - any JSON
    if response.ok:
        return json.loads(response.content) if response.content else None
    if _is_of_the_handler(response):
        raise RejectedError(response.status_code, response.json()["message"])
    raise UnavailableError(_own_error(response))


restate_client = cast(RestateClient, LocalProxy(lambda: current_app.extensions["restate"]))
"""The client of the current application."""
