"""What the page of the live lab is told as it happens, as events of one stream for each listener."""

import contextlib
import json
import queue
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from tests.faultlab.wire.events import EventKind

MOST_WIRE_EVENTS = 200
_STANDS = (EventKind.HELD.value, EventKind.STALLED.value)


class Broadcast:
    """Tells everybody who listens. Any thread may call its methods."""

    def __init__(self, stop: threading.Event) -> None:
        """Nobody listens yet; once `stop` is set, each stream ends."""
        self._stop = stop
        self._passed: deque[Mapping[str, Any]] = deque(maxlen=MOST_WIRE_EVENTS)
        self._standing: dict[tuple[Any, ...], Mapping[str, Any]] = {}
        self._listeners: list[queue.Queue[tuple[str, str]]] = []

    def take(self, event: Mapping[str, Any]) -> None:
        """Take what has happened on a wire or to a process; it is told with the next `tell_passed`."""
        self._passed.append(event)

    def tell_passed(self) -> None:
        """Tell what was taken since the last time."""
        passed = [self._passed.popleft() for _ in range(len(self._passed))]
        for event in passed:
            message = tuple(event.get(name) for name in ("side", "link", "direction", "label"))
            self._standing.pop(message, None)
            if event["kind"] in _STANDS:
                self._standing[message] = event
        if passed:
            self.tell("wire", passed)

    def forget_standing(self) -> None:
        """Whatever was held is held no more: who begins to listen now is not told of it."""
        self._standing.clear()

    def tell(self, name: str, content: object) -> None:
        """Tell everybody; who is too slow to listen misses it."""
        text = json.dumps(content)
        for listener in list(self._listeners):
            with contextlib.suppress(queue.Full):
                listener.put_nowait((name, text))

    def listen(self, state: object) -> Iterator[tuple[str, str]]:
        """Yield how everything is, what is held, and then whatever is told: names and JSON."""
        mine: queue.Queue[tuple[str, str]] = queue.Queue(maxsize=100)
        self._listeners.append(mine)
        try:
            yield "state", json.dumps(state)
            yield "wire", json.dumps(list(self._standing.values()))
            while not self._stop.is_set():
                try:
                    yield mine.get(timeout=1)
                except queue.Empty:
                    # Something must be sent, or nobody learns that the page was closed.
                    yield "alive", "0"
            yield "ended", "0"
        finally:
            self._listeners.remove(mine)
