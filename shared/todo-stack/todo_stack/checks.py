"""Checks: functions without arguments that say whether something holds, as that a server answers; and how to wait."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from todo_stack.errors import StopRequested

Check = Callable[[], bool]

_ANSWER_SECONDS = 2.0
"""A healthy server on this machine answers in milliseconds; a slow one is asked again."""


def http_ok(url: str, question: object = None) -> Check:
    """Return a check that GET of this http:// address answers 200; or POST, with a question as JSON."""
    parts = urlsplit(url)
    method, body = ("GET", None) if question is None else ("POST", json.dumps(question))

    def check() -> bool:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=_ANSWER_SECONDS)
        try:
            connection.request(method, parts.path or "/", body, {"Content-Type": "application/json"} if body else {})
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return check


def tcp_open(port: int) -> Check:
    """Return a check that something accepts connections on this port of 127.0.0.1."""

    def check() -> bool:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=_ANSWER_SECONDS):
                return True
        except OSError:
            return False

    return check


def all_of(*checks: Check) -> Check:
    """Return a check that all of these hold."""
    return lambda: all(check() for check in checks)


def comes_true(
    condition: Check, seconds: float, *, cancelled: threading.Event | None = None, poll: float = 0.05
) -> bool:
    """Wait until the condition holds; return whether it does in time. Once `cancelled` is set, raise StopRequested."""
    deadline = time.monotonic() + seconds
    cancelled = cancelled or threading.Event()
    while not condition():
        if time.monotonic() >= deadline:
            return False
        if cancelled.wait(poll):
            raise StopRequested
    return True
