"""The record of what happened on the links; time lines are drawn from it."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial

from .messages import Direction, Message


class EventKind(StrEnum):
    """What happened."""

    OPENED = "opened"
    CLOSED = "closed"
    ENDED = "ended"  # one side will send no more
    PASSED = "passed"
    HELD = "held"
    RELEASED = "released"
    STALLED = "stalled"
    DROPPED = "dropped"
    LOST = "lost"  # passed on, but its receiver was gone
    GONE = "gone"  # its connection ended while it was held
    RESET = "reset"
    REFUSED = "refused"
    BLACKHOLED = "blackholed"
    UNANSWERED = "unanswered"
    HEALED = "healed"
    NOT_UNDERSTOOD = "not understood"


@dataclass(frozen=True, slots=True)
class LinkEvent:
    """One line of the record. Connection 0 is the link as a whole; `time` is time.monotonic()."""

    link: str
    kind: EventKind
    label: str = ""
    direction: Direction | None = None
    connection: int = 0
    time: float = field(default_factory=time.monotonic)
    message: Message | None = field(default=None, repr=False, compare=False)
    """What it happened to. Only subscribers get it: kept, its bytes could fill the memory."""

    def __str__(self) -> str:
        arrow = {None: "-", Direction.TO_SERVER: "→", Direction.TO_CLIENT: "←"}[self.direction]
        return f"{self.link} #{self.connection} {arrow} {self.label or self.kind}" + (
            f" [{self.kind}]" if self.label and self.kind is not EventKind.PASSED else ""
        )


class EventLog:
    """The last events of one or several links, in the order of their time. Any thread may read and write."""

    def __init__(self, keep: int = 20_000) -> None:
        self._events: deque[LinkEvent] = deque(maxlen=keep)
        self._subscribers: list[Callable[[LinkEvent], None]] = []
        self._lock = threading.Lock()

    def add(self, event: LinkEvent) -> None:
        """Record an event and tell the subscribers."""
        with self._lock:
            self._events.append(replace(event, message=None))
            subscribers = tuple(self._subscribers)
        for tell in subscribers:
            try:
                tell(event)
            except Exception:  # a subscriber's mistake must not stop the traffic
                logging.getLogger(__name__).exception("this subscriber has failed and hears nothing more")
                self._unsubscribe(tell)

    def events(self, since: float = 0.0) -> list[LinkEvent]:
        """Return the events kept, from a moment of time.monotonic() on."""
        with self._lock:
            return [event for event in self._events if event.time >= since]

    def subscribe(self, tell: Callable[[LinkEvent], None]) -> Callable[[], None]:
        """Call `tell` for each new event; returns what ends it.

        It is called on the thread of the wire: it must be quick, and must not ask anything of a link.
        """
        with self._lock:
            self._subscribers.append(tell)
        return partial(self._unsubscribe, tell)

    def _unsubscribe(self, tell: Callable[[LinkEvent], None]) -> None:
        with self._lock:
            if tell in self._subscribers:
                self._subscribers.remove(tell)
