"""One twin of the live lab: its servers, its wire, its customer, and what it costs."""

import contextlib
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from tests.faultlab.laboratory import Laboratory
from tests.faultlab.live.arms import Arms, NotNowError
from tests.faultlab.live.count import GOES_ON, Count
from tests.faultlab.live.price import Price
from tests.faultlab.live.servers import RUNS, Servers
from tests.faultlab.matrix.recorder import Recorder
from tests.faultlab.matrix.recording import new_operation
from tests.faultlab.matrix.seams import SEAMS, kind_of
from tests.faultlab.submitted import SubmittedOperation, ask_for_result, submit
from tests.faultlab.wire.events import EventKind, LinkEvent
from tests.support import restate_admin
from tests.support.history import Outcome, Verdict
from tests.support.running_twin import new_key
from tests.support.waiting import StillMissingError, until
from todo_stack.errors import StopRequested

KINDS_OF_OPERATIONS = ("add", "update", "delete", "pay", "tell", "plan", "remind")
"""What the customer can ask for."""
IN_STOCK = 4
"""Todos that lie ready for each kind that changes one: with the database away none can be made."""
MOST_OPERATIONS = 5_000
"""Each is kept with all its messages, so that its history can be opened."""
MOST_UNANSWERED, MOST_GOING_ON, KILLED_SECONDS = 8, 100, 10.0
AGAIN_SECONDS, ASK_SECONDS, PATIENCE_SECONDS = 1.0, 0.3, 60.0


class Side:
    """One twin. Any thread may call its methods."""

    def __init__(self, lab: Laboratory, tell: Callable[[Mapping[str, Any]], None], stop: threading.Event) -> None:
        """Take a laboratory that runs; `tell` is called for each message that passes, and `stop` ends all waiting."""
        self.lab = lab
        self.key = lab.which.key
        self.recorder = Recorder(())
        self.operations: list[SubmittedOperation] = []
        self.count = Count(lab)
        self.servers = Servers(lab, self.note)
        self._tell, self._stop = tell, stop
        self._lock = threading.RLock()
        self._stock: defaultdict[str, deque[SubmittedOperation]] = defaultdict(deque)
        self._clients = ThreadPoolExecutor(64, thread_name_prefix=f"{self.key} client")
        self._over = threading.Event()
        self._generation, self._asked, self._asking, self._disturbed = 0, set[str](), set[str](), set[str]()
        self._going_on = 0
        self._price = Price(lab)
        met = {seam.kind for kind in KINDS_OF_OPERATIONS for seam in SEAMS[lab.which][kind]}
        self.arms = Arms(lab, met, lambda message: bool(self.recorder.traces.owners(message)))
        lab.log.subscribe(self._heard)

    def close(self) -> None:
        """End the customer."""
        self._over.set()
        self._clients.shutdown(wait=False, cancel_futures=True)

    def heal(self) -> None:
        """Let everything pass, and start what does not run."""
        self.arms.clear()
        self.lab.heal_links()
        self.servers.start_all()

    # The customer.

    def check_room(self) -> None:
        """Raise NotNowError where so many operations are counted that no more are."""
        if len(self.operations) >= MOST_OPERATIONS:
            raise NotNowError(f"{MOST_OPERATIONS:,} operations are counted, and that is all: reset first")

    def operate(self, kind: str, *, again: bool) -> SubmittedOperation:
        """Ask for one operation; whoever asks again does so each second until told that it worked."""
        self.check_room()
        operation = self._prepared(kind)
        self._asking.add(operation.key)
        self.take(operation)
        self._clients.submit(self._ask, operation, self._generation, again=again)
        return operation

    def operate_soon(self, kind: str) -> None:
        """Ask for one operation without waiting for what it begins with; without a database nothing is asked.

        Nor is it where too many have no answer yet, or go on: on a machine that cannot do so many, all would time out.
        """
        if len(self._asking) >= MOST_UNANSWERED or self._going_on >= MOST_GOING_ON:
            return
        generation, prepared = self._generation, new_key()
        self._asking.add(prepared)

        def operate() -> None:
            try:
                if generation == self._generation:
                    self.operate(kind, again=False)
            finally:
                self._asking.discard(prepared)

        self._clients.submit(operate)

    def wait_for(self, operation: SubmittedOperation, verdict: Verdict | None, seconds: float) -> str:
        """Return the verdict once an operation is counted: as this one, if it is named. May raise StopRequested."""
        words = [one.value for one in Verdict if verdict in (None, one)]

        def counted() -> str:
            if self._stop.is_set():
                raise StopRequested
            return next((word for word in words if word == self.count.word(operation)), "")

        return until(counted, f"{operation.kind} to be counted: {words[0]}", seconds)

    def take(self, operation: SubmittedOperation) -> None:
        """Record and count an operation from now on."""
        self.recorder.add(operation)
        with self._lock:
            self.operations.append(operation)

    def note(self, kind: str, label: str, process: str) -> None:
        """Record a fault, or its end, for whoever is not through."""
        with self._lock:
            not_through = {one.key for one in self.operations if self.count.word(one) == GOES_ON}
        self._disturbed |= not_through
        self.recorder.record_for_all(kind, label, process, not_through)
        self._tell({"side": self.key, "kind": kind, "label": label, "process": process})

    def forget(self) -> None:
        """Begin anew: no operation, nothing armed, and nothing that Restate is still at."""
        self.arms.release("pass")
        with self._lock:
            self._generation += 1
            self.operations = []
            self.recorder = Recorder(())
            self._disturbed.clear()
            self.count.forget()
        if self.lab.which.durable:
            # One that is through by itself meanwhile cannot be killed.
            with contextlib.suppress(requests.RequestException):
                restate_admin.give_up(self.lab.stack.ports.admin_url)
            self.lab.twin.settle(KILLED_SECONDS)

    def until_quiet(self, seconds: float) -> None:
        """Return when nothing goes on, or when the time is over."""
        with contextlib.suppress(StillMissingError):
            until(lambda: not self._going_on or self._stop.is_set(), "the end of everything", seconds)

    def _ask_for_result(self, operation: SubmittedOperation) -> None:
        ask_for_result(self.lab.twin, operation)
        self._over.wait(ASK_SECONDS)
        self._asked.discard(operation.key)

    def _prepared(self, kind: str) -> SubmittedOperation:
        with self._lock:
            if self._stock[kind]:
                return self._stock[kind].popleft()
        try:
            return new_operation(self.lab, kind)
        except Exception as error:  # The database is away, in one of many ways.
            raise NotNowError(f"no todo is left to {kind}: heal the database first") from error

    def _ask(self, operation: SubmittedOperation, generation: int, *, again: bool) -> None:
        try:
            self._ask_until_told(operation, generation, again=again)
        finally:
            self._asking.discard(operation.key)

    def _ask_until_told(self, operation: SubmittedOperation, generation: int, *, again: bool) -> None:
        # Not when it was laid in stock.
        operation.invoked_at = time.monotonic()
        end = operation.invoked_at + PATIENCE_SECONDS
        while True:
            submit(self.lab.twin, operation, threading.Event(), None)
            satisfied = operation.outcome in (Outcome.OK, Outcome.PENDING) or operation.detail.startswith("4")
            if satisfied or not again or time.monotonic() > end or generation != self._generation:
                return
            if self._over.wait(AGAIN_SECONDS):
                return

    # What is looked at.

    def look(self) -> None:
        """Count, ask for what was promised, and fill up the stock."""
        with self._lock:
            operations = list(self.operations)
        for operation in operations:
            if operation.outcome is Outcome.PENDING and operation.key not in self._asked:
                self._asked.add(operation.key)
                self._clients.submit(self._ask_for_result, operation)
        running = {name for name, state in self.servers.states().items() if state == RUNS}
        self.count.update(operations, running, self._asking)
        self._going_on = sum(self.count.word(one) == GOES_ON for one in operations)
        if self.count.reached:
            for kind in KINDS_OF_OPERATIONS:
                if len(self._stock[kind]) < IN_STOCK:
                    with contextlib.suppress(Exception):  # It was reached a moment ago; the next time says so.
                        self._stock[kind].append(new_operation(self.lab, kind))

    def shown(self) -> dict[str, Any]:
        """Return everything for the page."""
        with self._lock:
            operations = list(self.operations)
        count, states = self.count.shown(operations), self.servers.states()
        return {
            "title": self.lab.which.title,
            "processes": [{"name": name, "state": state} for name, state in states.items()],
            "links": list(self.lab.links),
            "armed": self.arms.shown(),
            # A count that asks a frozen database has no end.
            "count": count | {"reached": count["reached"] and states["database"] == RUNS},
            "price": self._price.shown([one for one in operations if one.key not in self._disturbed]),
        }

    def history(self, key: str) -> dict[str, Any]:
        """Return what happened to an operation, message by message, and what its client was told."""
        with self._lock:
            operation = next((one for one in self.operations if one.key == key), None)
        if not operation:
            raise NotNowError(f"no operation {key}")
        return {
            **self.count.operation_shown(operation),
            "events": [event.model_dump() for event in self.recorder.events(operation)],
            "answers": [{"at": answer.at, "told": str(answer)} for answer in self.recorder.answers(operation)],
        }

    def _heard(self, event: LinkEvent) -> None:
        self.recorder.record(event)
        if event.message is None or not (owners := self.recorder.traces.owners(event.message)):
            return
        if event.kind is not EventKind.PASSED:
            self._disturbed |= owners
        kind = kind_of(event.link, event.message)
        self._tell(
            {
                "side": self.key,
                "link": event.link,
                "direction": event.direction.value if event.direction else "",
                "kind": event.kind.value,
                "label": event.label,
                "seam": kind.name if kind else "",
                "operations": sorted(owners),
            }
        )
