"""Records what happens to each of several operations that run at the same time."""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tests.faultlab.laboratory import CLIENT, INGRESS
from tests.faultlab.matrix.records import CellEvent
from tests.faultlab.matrix.seams import Target
from tests.faultlab.wire import EventKind, EventLog, LinkEvent


class Recorder:
    """Sorts the events of a laboratory's links by the operation that they belong to.

    A message belongs to an operation if it, or its transaction or stream, mentions it.
    """

    def __init__(self, log: EventLog, targets: list[Target]) -> None:
        self._targets = targets
        self._began = time.monotonic()
        self._events: dict[str, list[CellEvent]] = {target.key: [] for target in targets}
        self._lock = threading.Lock()
        self._log = log
        self._unsubscribe: Callable[[], None] = lambda: None

    def __enter__(self) -> Self:
        self._unsubscribe = self._log.subscribe(self._hear)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._unsubscribe()

    def milliseconds(self, at: float | None = None) -> float:
        """Return a moment of the monotonic clock, by default now, in ms since the recording began."""
        return round(((time.monotonic() if at is None else at) - self._began) * 1000, 1)

    def note(self, kind: str, label: str, process: str = "") -> None:
        """Record something that happens to all operations at once."""
        event = CellEvent(at=self.milliseconds(), link=process, kind=kind, label=label)
        with self._lock:
            for events in self._events.values():
                events.append(event)

    def events(self, target: Target) -> list[CellEvent]:
        """Return what was recorded of an operation, in the order of time."""
        with self._lock:
            return sorted(self._events[target.key], key=lambda event: event.at)

    def _hear(self, event: LinkEvent) -> None:
        message = event.message
        if message is None or event.kind is EventKind.ENDED:
            return
        at_http = event.link in (CLIENT, INGRESS)
        with self._lock:
            for target in self._targets:
                if message.mentions(target.key if at_http else target.marker):
                    direction = event.direction.value if event.direction else None
                    recorded = CellEvent(
                        at=self.milliseconds(event.time),
                        link=event.link,
                        direction=direction,
                        kind=event.kind.value,
                        label=event.label,
                    )
                    self._events[target.key].append(recorded)
