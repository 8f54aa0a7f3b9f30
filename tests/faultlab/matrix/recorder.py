"""Records what happens to each of several operations that run at the same time."""

import time
from collections.abc import Collection, Sequence
from dataclasses import replace

from tests.faultlab.matrix.records import CellEvent
from tests.faultlab.matrix.traces import Traces
from tests.faultlab.submitted import ClientAnswer, SubmittedOperation
from tests.faultlab.wire.events import EventKind, LinkEvent


class Recorder:
    """Sorts the events of a laboratory's links by the operation that they belong to; any thread may add some.

    A message belongs to an operation if it, or its transaction or stream, mentions it.
    """

    def __init__(self, operations: Sequence[SubmittedOperation]) -> None:
        self.traces = Traces(operations)
        self._began = time.monotonic()
        self._events: dict[str, list[CellEvent]] = {operation.key: [] for operation in operations}

    def add(self, operation: SubmittedOperation) -> None:
        """Record one more operation from now on."""
        self._events[operation.key] = []
        self.traces.add(operation)

    def record(self, event: LinkEvent) -> None:
        """Record what happened to a message, for the operations that it belongs to."""
        if event.message is None or event.kind is EventKind.ENDED:
            return
        recorded = CellEvent(
            at=self._milliseconds(event.time),
            link=event.link,
            direction=event.direction.value if event.direction else None,
            kind=event.kind.value,
            label=event.label,
        )
        for owner in self.traces.owners(event.message):
            self._events[owner].append(recorded)

    def record_for_all(self, kind: str, label: str, process: str, keys: Collection[str] | None = None) -> None:
        """Record something that happens to all operations at once, or to those with these keys."""
        event = CellEvent(at=self._milliseconds(time.monotonic()), link=process, kind=kind, label=label)
        for key, events in list(self._events.items()):
            if keys is None or key in keys:
                events.append(event)

    def events(self, operation: SubmittedOperation) -> list[CellEvent]:
        """Return what was recorded of an operation, in the order of time."""
        return sorted(self._events[operation.key], key=lambda event: event.at)

    def answers(self, operation: SubmittedOperation) -> list[ClientAnswer]:
        """Return what its client was told, in ms since the recording began."""
        return [replace(answer, at=self._milliseconds(answer.at)) for answer in operation.answers]

    def _milliseconds(self, at: float) -> float:
        """Return a moment of the monotonic clock in ms since the recording began."""
        return round((at - self._began) * 1000, 1)
