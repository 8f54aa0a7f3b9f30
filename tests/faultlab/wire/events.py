"""The record of everything that happened on the links, from which time lines are drawn."""

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


class Kind(StrEnum):
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
    RESET = "reset"
    REFUSED = "refused"
    BLACKHOLED = "blackholed"
    HEALED = "healed"
    NOT_UNDERSTOOD = "not understood"


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the record. Connection 0 stands for the link as a whole; `time` is time.monotonic()."""

    link: str
    kind: Kind
    label: str = ""
    direction: Direction | None = None
    connection: int = 0
    time: float = field(default_factory=time.monotonic)
    message: Message | None = field(default=None, repr=False, compare=False)
    """What it happened to. Subscribers get it; it is not kept, as its bytes may be many."""

    def __str__(self) -> str:
        arrow = {None: "-", Direction.TO_SERVER: "→", Direction.TO_CLIENT: "←"}[self.direction]
        return f"{self.link} #{self.connection} {arrow} {self.label or self.kind}" + (
            f" [{self.kind}]" if self.label and self.kind is not Kind.PASSED else ""
        )


class EventLog:
    """The last events of one or several links, in the order of their time. Any thread may read and write."""

    def __init__(self, keep: int = 20_000) -> None:
        self._events: deque[Event] = deque(maxlen=keep)
        self._subscribers: list[Callable[[Event], None]] = []
        self._lock = threading.Lock()

    def add(self, event: Event) -> None:
        """Record an event and tell the subscribers."""
        with self._lock:
            self._events.append(replace(event, message=None))
            subscribers = tuple(self._subscribers)
        for tell in subscribers:
            try:
                tell(event)
            except Exception:  # a listener's mistake must not stop the traffic
                logging.getLogger(__name__).exception("this listener will be told nothing more")
                self._unsubscribe(tell)

    def events(self, since: float = 0.0) -> list[Event]:
        """Return the events kept, from a moment of time.monotonic() on."""
        with self._lock:
            return [event for event in self._events if event.time >= since]

    def subscribe(self, tell: Callable[[Event], None]) -> Callable[[], None]:
        """Call `tell` for each new event; returns what ends it.

        It is called on the thread of the wire: it must be quick, and must not ask anything of a link.
        """
        with self._lock:
            self._subscribers.append(tell)
        return partial(self._unsubscribe, tell)

    def _unsubscribe(self, tell: Callable[[Event], None]) -> None:
        with self._lock:
            if tell in self._subscribers:
                self._subscribers.remove(tell)
