"""A mixed workload: clients who write todos and use their features, and sometimes submit again what did not work."""

import contextlib
import random
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import requests

from tests.faultlab.laboratory import CLIENT_TIMEOUT_SECONDS
from tests.faultlab.submitted import SubmittedOperation
from tests.support.control import operations_of
from tests.support.history import Outcome
from tests.support.running_twin import RunningTwin
from tests.support.truth import AMOUNT, CURRENCY, hook_of

CLIENTS = 8
LONGEST_PAUSE_SECONDS = 0.4
"""Clients think: their pauses are drawn between nothing and this, which leaves the machine to what is tested."""
UNDOES = {"refund": "pay", "cancel": "plan", "delete met": "plan"}
"""What can only be done to a todo with which another operation has succeeded."""
MOST_PER_SECOND = 40
"""More operations than all clients together do in a second."""
SPARE_FOR_EACH_CLIENT = 600
"""More than a client can try while it waits for the first success after the last fault."""


@dataclass
class WorkloadClient:
    """One client with its own random numbers, todos and history."""

    twin: RunningTwin
    name: str
    random: random.Random
    prepared: Iterator[tuple[int, str]]
    """Id and task of todos that it owns, one for each operation on one."""
    over: threading.Event
    history: list[SubmittedOperation] = field(default_factory=list)
    succeeded: list[SubmittedOperation] = field(default_factory=list)
    """Those that can still be undone."""

    def run(self) -> None:
        """Carry out operations until it is over."""
        with requests.Session() as session:
            session.trust_env = False
            while not self.over.is_set():
                self.operate(session, self.random.choice(operations_of(self.twin.which)))
                self._think()

    def operate(self, session: requests.Session, kind: str, insist: float = 0.5) -> SubmittedOperation:
        """Carry out one operation; after a failure it is submitted again with probability `insist`, else given up."""
        text = f"{self.name} {len(self.history)}"
        before = next((one for one in self.succeeded if one.kind == UNDOES.get(kind)), None)
        if before:
            self.succeeded.remove(before)
            todo_id, task = before.todo_id, text
        else:
            kind = UNDOES.get(kind, kind)
            todo_id, task = (None, text) if kind == "add" else next(self.prepared)
        if before and before.kind == "plan":
            # From now on this operation answers for the meeting.
            self.history.remove(before)
        key = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        operation = SubmittedOperation(kind, task if kind == "delete" else text, key, todo_id)
        self.history.append(operation)
        while True:
            self.twin.operate(operation, session, timeout=CLIENT_TIMEOUT_SECONDS)
            if operation.outcome is Outcome.OK and kind in UNDOES.values():
                self.succeeded.append(operation)
            if operation.outcome in (Outcome.OK, Outcome.PENDING):
                return operation
            # Drawn in any case, so that the same seed makes the same choices as long as answers are the same.
            if self.random.random() >= insist or self.over.is_set():
                return operation
            self._think()

    def _think(self) -> None:
        self.over.wait(self.random.uniform(0, LONGEST_PAUSE_SECONDS))


class Workload:
    """Eight clients at work on one twin."""

    def __init__(self, twin: RunningTwin, seed: int, seconds: float) -> None:
        """Prepare clients with todos for so many seconds; they are written past the application, before any fault."""
        self.over = threading.Event()
        todos = twin.rows(
            "INSERT INTO todo (task) SELECT 'prepared ' || n FROM generate_series(1, %s) AS n RETURNING id, task",
            int(seconds * MOST_PER_SECOND) + SPARE_FOR_EACH_CLIENT * CLIENTS,
        )
        ids = [todo_id for todo_id, _ in todos]
        twin.rows("INSERT INTO bounty SELECT id, %s, %s FROM unnest(%s) AS id", AMOUNT, CURRENCY, ids)
        twin.rows("INSERT INTO watcher (todo_id, url) SELECT id, %s FROM unnest(%s) AS id", hook_of(twin), ids)
        self.clients = [
            WorkloadClient(
                twin, f"client {n} of {seed}", random.Random(f"{seed} client {n}"), iter(todos[n::CLIENTS]), self.over
            )
            for n in range(CLIENTS)
        ]

    @property
    def history(self) -> list[SubmittedOperation]:
        """All operations, in the order in which they began."""
        return sorted((o for client in self.clients for o in client.history), key=lambda o: o.invoked_at)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Let the clients work; at the end they finish what they are at. Raises what one of them has died of."""
        with ThreadPoolExecutor(CLIENTS, thread_name_prefix="client") as threads:
            running = [threads.submit(client.run) for client in self.clients]
            try:
                yield
            finally:
                self.over.set()
        for client in running:
            client.result()
