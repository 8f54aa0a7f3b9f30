"""The outside world as tests see it: what it was asked, what it did, and how it is told to behave."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

TIMEOUT_SECONDS = 10
MOST = 500


class OutsideWorldClient:
    """Asks and orders for the todos of one twin."""

    def __init__(self, url: str, twin: str) -> None:
        """Know it by its address, and the twin by its key, which is in all references."""
        self.url = url
        self._twin = twin

    def effects(self, receiver: str, todo_id: int) -> list[dict[str, Any]]:
        """Return what a receiver did for a todo, oldest first."""
        return self._shown("effects", receiver, todo_id)

    def requests(self, receiver: str, todo_id: int) -> list[dict[str, Any]]:
        """Return what a receiver was asked for a todo, oldest first."""
        return self._shown("requests", receiver, todo_id)

    @contextmanager
    def ordered(self, receiver: str, todo_id: int, **order: object) -> Iterator[None]:
        """Let a receiver behave so for requests about this todo."""
        reference = f"{self._twin}/{todo_id}"
        address = f"{self.url}/control/{receiver}"
        requests.put(address, json={"reference": reference, **order}, timeout=TIMEOUT_SECONDS).raise_for_status()
        try:
            yield
        finally:
            requests.delete(address, params={"reference": reference}, timeout=TIMEOUT_SECONDS).raise_for_status()

    def _shown(self, what: str, receiver: str, todo_id: int) -> list[dict[str, Any]]:
        wanted: dict[str, str | int] = {"receiver": receiver, "reference": f"{self._twin}/{todo_id}", "limit": MOST}
        answer = requests.get(f"{self.url}/{what}", params=wanted, timeout=TIMEOUT_SECONDS)
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()[what]
        return found[::-1]
