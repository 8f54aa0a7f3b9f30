"""A live lab in a process of its own, as make runs it, and a script that uses it through its API."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.support.waiting import until
from todo_stack.paths import REPOSITORY

TOKEN = "of-this-test"
TIMEOUT_SECONDS = 30


@dataclass
class Script:
    """A script that uses a lab."""

    process: "subprocess.Popen[str]"
    data: Path
    url: str
    token: str | None = TOKEN

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> requests.Response:
        """Ask the lab for something."""
        given = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        url = f"{self.url}{path}"
        return requests.request(method, url, json=body, headers=given | headers, timeout=TIMEOUT_SECONDS)

    def done(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Ask for something that must be done; return the answer's body."""
        response = self.ask(method, path, body)
        assert response.ok, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def refused(self, status: int, method: str, path: str, body: object = None) -> str:
        """Ask for something that cannot be done; return what is said about it."""
        response = self.ask(method, path, body)
        assert response.status_code == status, response.text
        return str(response.json()["error"])

    def side(self, twin: str) -> dict[str, Any]:
        """Return how a twin is."""
        side: dict[str, Any] = self.done("GET", "/api/state")["sides"][twin]
        return side

    def process_state(self, twin: str, process: str) -> str:
        """Return how a server is."""
        (state,) = (one["state"] for one in self.side(twin)["processes"] if one["name"] == process)
        return str(state)

    def operation(self, twin: str, key: str) -> dict[str, Any]:
        """Return an operation with its history."""
        return self.done("GET", f"/api/operations/{twin}/{key}")

    def until_verdict(self, twin: str, key: str, verdict: str) -> dict[str, Any]:
        """Wait until an operation has come to this; return it with its history."""

        def there() -> dict[str, Any]:
            operation = self.operation(twin, key)
            return operation if operation["verdict"] == verdict else {}

        return until(there, f"{verdict} of {key} in {twin}")


def started(data: Path, port: int) -> "subprocess.Popen[str]":
    """Start a lab as make does, without make."""
    command = [sys.executable, "-m", "tests.faultlab.live", "--port", str(port), "--data", str(data), "--look", "0"]
    env = {**os.environ, "LAB_TOKEN": TOKEN}
    return subprocess.Popen(
        command, cwd=REPOSITORY, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
