"""A burst: many operations from parallel clients, with something happening in the middle."""

import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import requests

from tests.support.history import Operation, Verdict, count, describe
from tests.support.twins import Twin, new_key

CLIENTS = 8

RESULTS: dict[str, dict[str, Counter[Verdict]]] = {}
"""Verdict counts of this run by scenario and twin, for the summary at its end."""


@dataclass
class Work:
    """One operation to do: how, and how its effect is counted afterwards."""

    kind: str
    marker: str
    method: str
    path: str = ""
    json: dict[str, object] | None = None


@dataclass
class Burst:
    """Operations against one twin; `operations` is their history."""

    twin: Twin
    works: Sequence[Work]
    clients: int = CLIENTS
    operations: list[Operation] = field(default_factory=list)

    def run(self, middle: Callable[[], None] | None = None, *, at: float = 0.4) -> None:
        """Do all the work; when the share `at` of it has been answered, call `middle` while the rest goes on."""
        answered = threading.Semaphore(0)
        local = threading.local()
        sessions: list[requests.Session] = []

        def one(work: Work) -> Operation:
            if not hasattr(local, "session"):
                local.session = requests.Session()
                sessions.append(local.session)
            operation = Operation(work.kind, work.marker, new_key())
            self.twin.operate(local.session, operation, work.method, work.path, work.json)
            answered.release()
            return operation

        with ThreadPoolExecutor(self.clients) as pool:
            done = [pool.submit(one, work) for work in self.works]
            for _ in range(int(len(self.works) * at)):
                answered.acquire()
            if middle:
                middle()
            self.operations = [future.result() for future in done]
        for session in sessions:
            session.close()

    def verdicts(self, scenario: str, *, minimum_ok: int) -> Counter[Verdict]:
        """Wait for quiet, count the effects in the database, and return how many operations came to what."""
        unfinished = self.twin.settle()
        count_effects(self.twin, self.operations)
        for operation in self.operations:
            operation.settled = not unfinished
        verdicts = count(self.operations, minimum_ok=minimum_ok)
        RESULTS.setdefault(scenario, {})[self.twin.name] = verdicts
        print(f"{scenario}, {self.twin.name}: {describe(verdicts)}")
        return verdicts


def count_effects(twin: Twin, operations: Iterable[Operation]) -> None:
    """Count the effects of operations in the database."""
    tasks = Counter(task for (task,) in twin.rows("SELECT task FROM todo"))
    for operation in operations:
        there = tasks[operation.marker]
        # A deletion's effect is that the todo is gone; every other's, that its text is there.
        operation.effect = int(there == 0) if operation.kind == "delete" else there


def adds(twin: Twin, number: int) -> Burst:
    """Return a burst that adds this many todos."""
    name = f"burst-{uuid.uuid4().hex[:8]}"
    return Burst(twin, [Work("add", f"{name} {i}", "POST", "", {"title": f"{name} {i}"}) for i in range(number)])


def mixed(twin: Twin, number: int) -> Burst:
    """Return a burst that adds, updates and deletes this many todos each; the latter two exist already."""
    name = f"burst-{uuid.uuid4().hex[:8]}"
    works = []
    # One of each kind after the other, so that whatever happens in the middle happens to all kinds.
    for i in range(number):
        changed, doomed = twin.add(f"{name} before {i}"), twin.add(f"{name} doomed {i}")
        after = f"{name} after {i}"
        works += [
            Work("add", f"{name} {i}", "POST", "", {"title": f"{name} {i}"}),
            Work("update", after, "PATCH", f"/{changed['id']}", {"title": after}),
            Work("delete", doomed["title"], "DELETE", f"/{doomed['id']}"),
        ]
    return Burst(twin, works)
