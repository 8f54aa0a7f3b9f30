"""The outside world as a test uses it: asks it, tells it how to behave, and counts what it was asked and did."""

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import requests

TIMEOUT_SECONDS = 30


class OutsideWorld:
    """A client of the outside world."""

    def __init__(self, url: str) -> None:
        """Take its address."""
        self.url = url

    def ask(
        self,
        method: str,
        path: str,
        json: object = None,
        key: str | None = None,
        reference: str | None = None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> requests.Response:
        """Ask a receiver as a twin does."""
        headers = {"Idempotency-Key": key, "Reference": reference}
        return requests.request(method, f"{self.url}{path}", json=json, headers=headers, timeout=timeout)

    def requests(self, receiver: str | None = None, **chosen: str) -> list[dict[str, Any]]:
        """Return all that was asked, the newest first."""
        return self._all("requests", receiver=receiver, **chosen)

    def effects(self, receiver: str | None = None, **chosen: str) -> list[dict[str, Any]]:
        """Return all that was done, the newest first; `reference` chooses those with it and those below it."""
        return self._all("effects", receiver=receiver, **chosen)

    def set_mode(self, receiver: str, mode: str, **order: object) -> None:
        """Tell a receiver how to behave."""
        answer = self.ask("PUT", f"/control/{receiver}", {"mode": mode, **order})
        assert answer.status_code == 200, answer.text

    @contextlib.contextmanager
    def told(self, receiver: str, mode: str, **order: object) -> Iterator[None]:
        """Let a receiver behave so meanwhile, for requests with this reference and below; others are not disturbed."""
        self.set_mode(receiver, mode, **order)
        try:
            yield
        finally:
            only = {"reference": str(order.get("reference", ""))}
            requests.delete(f"{self.url}/control/{receiver}", params=only, timeout=TIMEOUT_SECONDS).raise_for_status()

    def _all(self, what: str, **chosen: str | None) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        while True:
            after = {"after": rows[-1]["id"]} if rows else {}
            params = {"limit": 500, **chosen, **after}
            answer = requests.get(f"{self.url}/{what}", params=params, timeout=TIMEOUT_SECONDS)
            answer.raise_for_status()
            rows += answer.json()[what]
            if answer.json()["after"] is None:
                return rows


class OutsideWorldClient(OutsideWorld):
    """Asks and orders for the todos of one twin."""

    def __init__(self, url: str, twin: str) -> None:
        """Know the twin by its key, which is in all references."""
        super().__init__(url)
        self._twin = twin

    def effects_for(self, todo_id: int, receiver: str) -> list[dict[str, Any]]:
        """Return what a receiver did for a todo, oldest first."""
        return self.effects(receiver, reference=f"{self._twin}/{todo_id}")[::-1]

    def requests_for(self, todo_id: int, receiver: str) -> list[dict[str, Any]]:
        """Return what a receiver was asked for a todo, oldest first."""
        return self.requests(receiver, reference=f"{self._twin}/{todo_id}")[::-1]

    def told_for(self, todo_id: int, receiver: str, mode: str, **order: object) -> AbstractContextManager[None]:
        """Let a receiver behave so for requests about this todo."""
        return self.told(receiver, mode, reference=f"{self._twin}/{todo_id}", **order)
