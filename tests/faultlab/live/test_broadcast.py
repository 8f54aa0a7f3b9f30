"""What is told to whoever listens to the live lab."""

import json
import threading
from typing import Any

import pytest

from tests.faultlab.live.broadcast import Broadcast


def told(broadcast: Broadcast) -> list[dict[str, Any]]:
    """Return what somebody is told who begins to listen now: what is held."""
    stream = broadcast.listen({"busy": ""})
    assert next(stream) == ("state", '{"busy": ""}')
    name, content = next(stream)
    assert name == "wire"
    held: list[dict[str, Any]] = json.loads(content)
    return held


def message(kind: str, side: str = "plain") -> dict[str, Any]:
    """Return an event of one message."""
    return {"side": side, "link": "web to database", "direction": "to client", "label": "COMMIT", "kind": kind}


@pytest.mark.parametrize("end", ["released", "dropped", "reset"])
@pytest.mark.parametrize("stands", ["held", "stalled"])
def test_who_comes_late_sees_what_is_held(stands: str, end: str) -> None:
    """A page that is opened in the middle of a story is told of the message that is held, and only until it is not."""
    broadcast = Broadcast(threading.Event())
    broadcast.take(message("passed"))
    broadcast.take(message(stands))
    broadcast.take(message("passed", "restate"))
    broadcast.tell_passed()
    assert told(broadcast) == [message(stands)]
    broadcast.take(message(end))
    broadcast.tell_passed()
    assert told(broadcast) == []


def test_nothing_is_held_after_a_story() -> None:
    """What a story has left standing is told to nobody who comes after it."""
    broadcast = Broadcast(threading.Event())
    broadcast.take(message("held"))
    broadcast.tell_passed()
    broadcast.forget_standing()
    assert told(broadcast) == []
