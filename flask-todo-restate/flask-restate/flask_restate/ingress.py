"""Sends calls to Restate's ingress: the same one again until it is accepted, with a key that lets it be made once."""

import hashlib
import re
import time
from typing import Any
from urllib.parse import quote

import requests
import tenacity
from flask import current_app
from pydantic import BaseModel
from requests.adapters import HTTPAdapter
from restate.handler import Handler

from flask_restate.outcomes import UnavailableError, UndecidedError, raise_for_ingress

HEADER_VALUE = re.compile(r"[\x21-\x7e]{1,255}")
# Tells the handler which call this is, because the SDK does not show it the idempotency key.
OPERATION_HEADER = "operation-id"
# Short, because the ingress is on this machine or network and is tried again while the budget lasts.
CONNECT_TIMEOUT_SECONDS = 0.5
# As many as a process can have threads, so that every connection is reused.
MAX_IDLE_CONNECTIONS = 256


class Adapter(HTTPAdapter):
    """Sends what Restate understands."""

    def add_headers(self, request: requests.PreparedRequest, **_: object) -> None:
        """Say of a trace only whether it is sampled: for more than that, such as a random id, Restate forgets it."""
        if trace := request.headers.get("traceparent"):
            ids, flags = trace.rsplit("-", 1)
            request.headers["traceparent"] = f"{ids}-{int(flags, 16) & 1:02x}"


def path_of(handler: Handler[Any, Any], object_key: str = "") -> str:
    """Return the path of a handler below the ingress' commands."""
    keyed = [] if handler.service_tag.kind == "service" else [quote(object_key, safe="")]
    return "/".join([handler.service_tag.name, *keyed, handler.name])


def post(path: str, address: str, message: BaseModel, key: str, deadline: float) -> requests.Response:
    """Post the call until the ingress accepts it, and return the answer of the ingress or the handler.

    Raises UnavailableError: the ingress has not accepted the call by the deadline, or has not answered.
    """
    body = message.model_dump_json(by_alias=True)
    key = idempotency_key(key, body)
    headers = {"content-type": "application/json", "idempotency-key": key, OPERATION_HEADER: f"{address}/{key}"}

    def once() -> requests.Response:
        left = max(deadline - time.monotonic(), 0.01)
        try:
            response = send("POST", path.format(address), left, body.encode(), headers)
        except requests.ReadTimeout as error:
            raise UndecidedError from error
        except requests.RequestException as error:
            if isinstance(error, ValueError):
                raise  # The configured address is no URL.
            raise UnavailableError from error
        raise_for_ingress(response)
        return response

    retry = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(UnavailableError) & tenacity.retry_if_not_exception_type(UndecidedError),
        wait=tenacity.wait_exponential_jitter(multiplier=0.02, max=0.2, jitter=0.02),
        stop=lambda _state: time.monotonic() >= deadline,
        reraise=True,
    )
    return retry(once)


def send(
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
