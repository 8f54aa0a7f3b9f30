"""Messages are sorted to operations by what is named in them, also by names that only an earlier message told."""

import json
import uuid

from tests.faultlab.matrix.recording import in_lines
from tests.faultlab.matrix.seams import RECORDED
from tests.faultlab.matrix.traces import Traces
from tests.faultlab.wire.messages import Direction, Message
from tests.support.history import ClientOperation


def message(text: str) -> Message:
    """Return a message with this text."""
    return Message(raw=text.encode(), direction=Direction.TO_SERVER, name="a message")


def test_owners() -> None:
    """An operation is known by its key, its todo or its task, and by whatever has an id in a message of it alone."""
    first, second = (
        ClientOperation("pay", f"pay {uuid.uuid4().hex}", str(uuid.uuid4()), todo_id)
        for todo_id in (700000001, 700000002)
    )
    traces = Traces([first, second])
    payment = str(uuid.uuid4())
    assert not traces.owners(message(f"what became of {payment}"))
    assert traces.owners(message(f"Idempotency-Key: {first.key}")) == {first.key}
    assert traces.owners(message(f"the todo '{second.marker}'")) == {second.key}
    assert traces.owners(message(f"the payment {payment} of 700000001")) == {first.key}
    assert traces.owners(message(f"what became of {payment}")) == {first.key}
    assert not traces.owners(message("1700000001"))


def test_shared_message() -> None:
    """A message of two operations belongs to both, and what it names to neither."""
    first, second = (ClientOperation("tell", "tell", str(uuid.uuid4()), todo_id) for todo_id in (700000001, 700000002))
    traces = Traces([first, second])
    shared = str(uuid.uuid4())
    assert traces.owners(message(f"700000001 700000002 {shared}")) == {first.key, second.key}
    assert not traces.owners(message(shared))


def test_recorded_file() -> None:
    """The file has a line for each message, so that what changes in an operation is seen when it is reviewed."""
    recorded = json.loads(RECORDED.read_text(encoding="utf-8"))
    assert in_lines(recorded) == RECORDED.read_text(encoding="utf-8")
