"""Records what happens to each of several operations that run at the same time."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Self

from tests.faultlab.matrix.records import CellAnswer, CellEvent
from tests.faultlab.matrix.seams import trace_on
from tests.faultlab.submitted import SubmittedOperation
from tests.faultlab.wire.events import EventKind, EventLog, LinkEvent


class Recorder:
    """Sorts the events of a laboratory's links by the operation that they belong to.

    A message belongs to an operation if it, or its transaction or stream, mentions it.
    """

    def __init__(self, log: EventLog, operations: Sequence[SubmittedOperation]) -> None:
        self._operations = operations
        self._began = time.monotonic()
        self._events: dict[str, list[CellEvent]] = {operation.key: [] for operation in operations}
        self._lock = threading.Lock()
        self._log = log
        self._unsubscribe: Callable[[], None] = lambda: None

    def __enter__(self) -> Self:
        self._unsubscribe = self._log.subscribe(self._sort)
        return self

    def __exit__(self, *_error: object) -> None:
        self._unsubscribe()

    def record_for_all(self, kind: str, label: str, process: str) -> None:
        """Record something that happens to all operations at once."""
        event = CellEvent(at=self._milliseconds(time.monotonic()), link=process, kind=kind, label=label)
        with self._lock:
            for events in self._events.values():
                events.append(event)

    def events(self, operation: SubmittedOperation) -> list[CellEvent]:
        """Return what was recorded of an operation, in the order of time."""
        with self._lock:
            return sorted(self._events[operation.key], key=lambda event: event.at)

    def answers(self, operation: SubmittedOperation) -> list[CellAnswer]:
        """Return what its client was told."""
        return [
            CellAnswer(at=self._milliseconds(answer.at), outcome=answer.outcome, detail=answer.detail)
            for answer in operation.answers
        ]

    def _milliseconds(self, at: float) -> float:
        """Return a moment of the monotonic clock in ms since the recording began."""
        return round((at - self._began) * 1000, 1)

    def _sort(self, event: LinkEvent) -> None:
        if event.message is None or event.kind is EventKind.ENDED:
            return
        recorded = CellEvent(
            at=self._milliseconds(event.time),
            link=event.link,
            direction=event.direction.value if event.direction else None,
            kind=event.kind.value,
            label=event.label,
        )
        with self._lock:
            for operation in self._operations:
                if event.message.mentions(trace_on(event.link, operation)):
                    self._events[operation.key].append(recorded)
