"""A burst: many operations from parallel clients, with something happening in the middle."""

import threading
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.support.history import ClientOperation, Verdict, judge
from tests.support.running_twin import RunningTwin, new_key
from tests.support.truth import count_effects

CLIENTS = 8


@dataclass
class Burst:
    """Operations against one twin."""

    twin: RunningTwin
    operations: Sequence[ClientOperation]
    clients: int = CLIENTS

    def part(self, first: int, end: int | None = None) -> "Burst":
        """Return the operations from this one on and before that one as a burst of their own."""
        return Burst(self.twin, self.operations[first:end], self.clients)

    def run(self, middle: Callable[[], object] | None = None, *, at: float = 0.4) -> None:
        """Do all the work; when the share `at` of it has been answered, call `middle` while the rest goes on."""
        answered = threading.Semaphore(0)

        def one(operation: ClientOperation) -> None:
            self.twin.operate(operation)
            answered.release()

        with ThreadPoolExecutor(self.clients) as pool:
            done = [pool.submit(one, operation) for operation in self.operations]
            for _ in range(int(len(self.operations) * at)):
                answered.acquire()
            if middle:
                middle()
            for future in done:
                future.result()

    def verdicts(self) -> Counter[Verdict]:
        """Return how many operations came to what, once nothing is in flight."""
        return Counter(verdicts_on(self.twin, self.operations))


def verdicts_on(twin: RunningTwin, operations: Sequence[ClientOperation]) -> list[Verdict]:
    """Wait until nothing is in flight, count each effect, and compare it with what its client was told."""
    unfinished = twin.settle()
    count_effects(twin, operations)
    for operation in operations:
        operation.settled = not unfinished
    return list(map(judge, operations))


def adds(twin: RunningTwin, number: int) -> Burst:
    """Return a burst that adds this many todos."""
    name = f"burst-{uuid.uuid4().hex[:8]}"
    return Burst(twin, [ClientOperation("add", f"{name} {i}", new_key()) for i in range(number)])


def mixed(twin: RunningTwin, number: int) -> Burst:
    """Return a burst that adds, updates and deletes this many todos each; the latter two exist already."""
    name = f"burst-{uuid.uuid4().hex[:8]}"
    operations = []
    # One of each kind after the other, so that whatever happens in the middle happens to all kinds.
    for i in range(number):
        changed, doomed = twin.add(f"{name} before {i}"), twin.add(f"{name} doomed {i}")
        operations += [
            ClientOperation("add", f"{name} {i}", new_key()),
            ClientOperation("update", f"{name} after {i}", new_key(), changed["id"]),
            ClientOperation("delete", doomed["title"], new_key(), doomed["id"]),
        ]
    return Burst(twin, operations)
