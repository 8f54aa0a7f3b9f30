"""Calls others: the payment provider, the calendar, the rooms, the mailbox, and whoever watches a todo."""

import functools
import re
from typing import Annotated, Any

import requests
from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode
from requests.adapters import HTTPAdapter
from urllib3.exceptions import NewConnectionError

from todo_shared.settings import load
from todo_shared.thread_pool import aside

REPEATED_LATER = (408, 425, 429)
"""Refusals that are not for good, as are all of 500 and more."""


def split_addresses(text: object) -> object:
    """Split a setting at its commas; raises ValueError: a part is no host:port."""
    if not isinstance(text, str):
        return text
    parts = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    if not all(re.fullmatch(r"[^\s/;]+:\d{1,5}", part) for part in parts):
        raise ValueError("not host:port; several are separated by commas")
    return parts


class OutsideSettings(BaseSettings):
    """Where the outside world is, and how long it is waited for."""

    outside_world_url: str = Field(default="http://127.0.0.1:5080", pattern="^https?://")
    """The payment provider, the calendar, the rooms and the mailbox, which are one server here."""

    outside_timeout_seconds: float = Field(default=5, gt=0)
    """How long one call may take."""

    webhook_hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_addresses)] = ()
    """Private addresses that watchers may have all the same, as host:port."""

    mail_to: str = Field(default="you@example.org", pattern="^[^@\\s]+@[^@\\s]+$", max_length=200)
    """Who is reminded."""


class OutsideRefusedError(Exception):
    """The other side refuses for good, with a status and a reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class OutsideWorld:
    """The third parties, for one twin, whose name is in all references."""

    def __init__(self, twin: str) -> None:
        self._twin = twin

    def reference(self, todo_id: int) -> str:
        """Return what the other side knows a todo by."""
        return f"{self._twin}/{todo_id}"

    def post(self, path: str, body: dict[str, Any], key: str) -> dict[str, Any]:
        """Post once per key, and return the answer.

        Raises OutsideRefusedError: it is refused for good; requests.RequestException: it is refused for now
        (requests.HTTPError), or it is unknown whether it was done.
        """
        return self._send("POST", path, body, {"Idempotency-Key": key})

    def put(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Put something there, whose id is in the path; raises as post() does."""
        return self._send("PUT", path, body)

    def delete(self, path: str, reference: str) -> None:
        """Delete something, or see to it that it will never be there; raises as post() does."""
        self._send("DELETE", path, headers={"Reference": reference})

    def _send(
        self, method: str, path: str, body: dict[str, Any] | None = None, headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        settings = outside_settings()
        with aside():
            response = _session().request(
                method,
                settings.outside_world_url.rstrip("/") + path,
                json=body,
                headers=headers,
                timeout=settings.outside_timeout_seconds,
                allow_redirects=False,
            )
        raise_for_refusal(response)
        answer: dict[str, Any] = response.json() if response.content else {}
        return answer


def raise_for_refusal(response: requests.Response) -> None:
    """Raise OutsideRefusedError if it is refused for good, requests.HTTPError if it is refused for now."""
    if response.ok:
        return
    if response.status_code < 500 and response.status_code not in REPEATED_LATER:
        raise OutsideRefusedError(response.status_code, _reason(response))
    raise requests.HTTPError(f"{response.status_code} from {response.url}", response=response)


def was_not_done(error: requests.RequestException) -> bool:
    """Return whether what was asked for is certainly not done: nobody was there, or who was there said: not now."""
    if isinstance(error, requests.HTTPError):
        return error.response.status_code < 500
    return isinstance(error, requests.ConnectTimeout) or isinstance(
        getattr(error.args[0] if error.args else None, "reason", None), NewConnectionError
    )


def _reason(response: requests.Response) -> str:
    try:
        return str(response.json()["detail"])[:200]
    except (ValueError, LookupError, TypeError):
        return f"refused with status {response.status_code}"


@functools.cache
def outside_settings() -> OutsideSettings:
    """Return the settings, read once."""
    return load(OutsideSettings)


@functools.cache
def _session() -> requests.Session:
    session = requests.Session()
    # Proxies that are set in the shell are for the internet.
    session.trust_env = False
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=64))
    return session
