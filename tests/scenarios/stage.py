"""What the scenarios have in common: what a user does, and the end of each story, the count in the database."""

import time
from collections.abc import Callable
from typing import Any

import requests

from tests.support.history import Operation, Verdict, judge
from tests.support.twins import Twin, new_key

DEADLINE_SECONDS = 30.0
POLL_SECONDS = 0.02


def name(what: str) -> str:
    """Return a task that no other test has, written the same in JSON and in a form."""
    return f"{what}-{new_key()}"


def add(twin: Twin, task: str, key: str = "") -> Operation:
    """Add a todo; with the key of an earlier operation it is that one, submitted again."""
    return _carry_out(twin, Operation("add", task, key or new_key()), "POST", "", {"title": task})


def update(twin: Twin, todo_id: int, task: str, key: str = "") -> Operation:
    """Change a todo's task."""
    return _carry_out(twin, Operation("update", task, key or new_key()), "PATCH", f"/{todo_id}", {"title": task})


def delete(twin: Twin, todo: dict[str, Any], key: str = "") -> Operation:
    """Delete a todo."""
    return _carry_out(twin, Operation("delete", todo["title"], key or new_key()), "DELETE", f"/{todo['id']}", None)


def came_to(twin: Twin, operation: Operation) -> Verdict:
    """Return the verdict on an operation: wait until all is quiet, count its effect, compare with what was told."""
    operation.settled = not twin.settle()
    there = len(twin.tasks(operation.marker))
    operation.effect = int(there == 0) if operation.kind == "delete" else there
    return judge(operation)


def eventually(condition: Callable[[], object], what: str) -> None:
    """Wait until the condition holds."""
    until = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < until, f"after {DEADLINE_SECONDS:g} s still not: {what}"
        time.sleep(POLL_SECONDS)


def _carry_out(twin: Twin, operation: Operation, method: str, path: str, json: Any) -> Operation:  # noqa: ANN401 - any JSON
    with requests.Session() as session:
        return twin.operate(session, operation, method, path, json)
