"""What a user of the JSON API does, and the verdict on it, by a count in the database."""

from typing import Any

from tests.support.burst import verdicts_on
from tests.support.history import ClientOperation, Verdict
from tests.support.running_twin import RunningTwin, new_key
from tests.support.truth import prepare


def new_name(what: str) -> str:
    """Return a task that no other test has, written the same in JSON and in a form."""
    return f"{what}-{new_key()}"


def add(twin: RunningTwin, task: str, key: str = "") -> ClientOperation:
    """Add a todo; with the key of an earlier operation it is that one, submitted again."""
    return twin.operate(ClientOperation("add", task, key or new_key()))


def update(twin: RunningTwin, todo_id: int, task: str, key: str = "") -> ClientOperation:
    """Change a todo's task."""
    return twin.operate(ClientOperation("update", task, key or new_key(), todo_id))


def delete(twin: RunningTwin, todo: dict[str, Any], key: str = "") -> ClientOperation:
    """Delete a todo."""
    return twin.operate(ClientOperation("delete", todo["title"], key or new_key(), todo["id"]))


def prepared(twin: RunningTwin, kind: str) -> ClientOperation:
    """Return an operation that is still to be done, of a feature: its todo is there, with what that carries."""
    operation = ClientOperation(kind, new_name(kind), new_key())
    prepare(twin, operation)
    return operation


def verdict_on(twin: RunningTwin, operation: ClientOperation) -> Verdict:
    """Return what the operation came to, once nothing is in flight."""
    return verdicts_on(twin, [operation])[0]
