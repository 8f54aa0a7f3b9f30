"""Sends calls to Restate's ingress: the same again, at each of its addresses, with a key that makes it be done once."""

import hashlib
import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import requests
import tenacity
from flask import current_app
from pydantic import BaseModel
from restate.handler import Handler

from flask_restate.addresses import Addresses, addresses, may_pass
from flask_restate.outcomes import UnavailableError, UndecidedError, is_unavailable, raise_for_ingress
from flask_restate.session import IngressSession

HEADER_VALUE = re.compile(r"[\x21-\x7e]{1,255}")
# Tells the handler which call this is, because the SDK does not show it the idempotency key.
OPERATION_HEADER = "operation-id"


def path_of(handler: Handler[Any, Any], object_key: str = "") -> str:
    """Return the path of a handler below the ingress' commands."""
    keyed = [] if handler.service_tag.kind == "service" else [quote(object_key, safe="")]
    return "/".join([handler.service_tag.name, *keyed, handler.name])


def post(path: str, address: str, message: BaseModel, key: str, deadline: float) -> requests.Response:
    """Post the call until the ingress accepts it, and return the answer of the ingress or the handler.

    Raises UnavailableError: the ingress has not accepted the call by the deadline; UndecidedError: it may have.
    """
    body = message.model_dump_json(by_alias=True)
    key = idempotency_key(key, body)
    headers = {"content-type": "application/json", "idempotency-key": key, OPERATION_HEADER: f"{address}/{key}"}
    is_unanswered = False

    def once(endpoint: str, seconds: float) -> requests.Response:
        nonlocal is_unanswered
        try:
            return _available(
                _session().request("POST", endpoint, path.format(address), seconds, body.encode(), headers)
            )
        except requests.ReadTimeout:
            # Frozen, or only waiting for the handler: nobody can tell. At the next address the call joins itself, so
            # a slow call costs a request more at each, and one that meets a frozen node waits no longer than a share.
            is_unanswered = True
            raise

    retry = tenacity.Retrying(
        retry=tenacity.retry_if_exception(may_pass),
        wait=tenacity.wait_exponential_jitter(multiplier=0.02, max=0.2, jitter=0.02),
        stop=lambda _state: time.monotonic() >= deadline,
        reraise=True,
    )
    try:
        response = retry(lambda: _endpoints().ask(once, deadline - time.monotonic()))
    except requests.RequestException as error:
        raise (UndecidedError if is_unanswered else UnavailableError) from error
    raise_for_ingress(response)
    return response


def get(
    path: str,
    seconds: float,
    by_most: Callable[[requests.Response], bool] = lambda _: False,
) -> requests.Response:
    """Return the answer of the first address that has one; one that is `by_most` needs more than half of them.

    Raises requests.RequestException: there is none in time.
    """
    endpoints, alike = _endpoints(), 0

    def once(endpoint: str, share: float) -> requests.Response | None:
        nonlocal alike
        response = _session().request("GET", endpoint, path, share)
        if not by_most(response):
            return _available(response)
        alike += 1
        return response if alike * 2 > len(endpoints) else None

    return endpoints.ask(once, seconds)


def check(seconds: float) -> None:
    """Raise requests.RequestException unless half of the addresses at least say in time that they are healthy."""
    endpoints, healthy = _endpoints(), 0

    def once(endpoint: str, share: float) -> bool | None:
        nonlocal healthy
        _session().request("GET", endpoint, "/restate/health", share).raise_for_status()
        healthy += 1
        # A minority of the nodes takes no call.
        return True if healthy * 2 >= len(endpoints) else None

    # One that is cut off from the others is healthy, too.
    endpoints.ask(once, seconds, proves=False)


def _endpoints() -> Addresses:
    return addresses(current_app.config["RESTATE_ENDPOINT"])


def _session() -> IngressSession:
    session: IngressSession = current_app.extensions["restate"]
    return session


def _available(response: requests.Response) -> requests.Response:
    """Return the answer, or raise requests.ConnectionError: it says that the ingress is unavailable."""
    if is_unavailable(response):
        raise requests.ConnectionError(f"{response.status_code}, {response.text[:200]}")
    return response


def idempotency_key(key: str, body: str) -> str:
    """Return the key that makes a repeated request join the first.

    The key includes the body: with a browser's Back button, a user gets a form with its old key, edits it and submits
    it as something new. That must not be mistaken for the old request and dropped.
    """
    if not HEADER_VALUE.fullmatch(key):
        key = hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()
    return f"{key}.{hashlib.sha256(body.encode()).hexdigest()[:16]}"
