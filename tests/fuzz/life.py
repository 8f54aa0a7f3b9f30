"""The life of a twin as a random sequence: writes, the same with the same key again, and deaths of servers.

What Hypothesis prints of a life that went wrong is a scenario, cut down to the steps that matter.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar, Protocol

import requests
from hypothesis import seed
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.fuzz.examples import examples
from tests.fuzz.model import Model
from tests.support.history import ClientOperation, Outcome
from tests.support.running_twin import RunningTwin, new_key
from tests.support.table_lock import todos_locked, waiting_for_locks
from tests.support.waiting import until

CLIENT_TIMEOUT_SECONDS = 10.0
"""Longer than the write budget and a statement, so that the twins can answer first."""


class Subject(Protocol):
    """What lives: a twin, or something that a test has made up."""

    durable: bool

    @property
    def servers(self) -> Sequence[str]:
        """Names of the servers that can die."""

    def submit(self, operation: ClientOperation) -> None:
        """Carry out an operation, and record what its client is told."""

    def submit_and_kill(self, operation: ClientOperation, server: str) -> None:
        """Do the same, kill this server while the write is in the database and not committed, and start it again."""

    def kill(self, server: str) -> None:
        """Kill a server; it stays dead."""

    def start(self) -> None:
        """Start what is dead."""

    def clear(self) -> None:
        """Delete all todos past the application."""

    def todos(self) -> list[tuple[int, str]]:
        """Return ids and tasks in the database once nothing is in flight."""


class LivingTwin:
    """A running twin as a Subject."""

    def __init__(self, twin: RunningTwin) -> None:
        self.twin = twin
        self.durable = twin.which.durable
        self.servers = twin.which.servers
        self.writes = self.deaths = 0

    def submit(self, operation: ClientOperation) -> None:
        """Carry it out on a connection of its own, since the web may have died."""
        self.writes += 1
        with requests.Session() as session:
            self.twin.operate(operation, session, timeout=CLIENT_TIMEOUT_SECONDS)

    def submit_and_kill(self, operation: ClientOperation, server: str) -> None:
        """Let the write wait for a lock, and kill the server meanwhile."""
        database = self.twin.stack.database_url(self.twin.which)
        with ThreadPoolExecutor(1) as client:
            with todos_locked(database):
                submitted = client.submit(self.submit, operation)
                until(lambda: waiting_for_locks(database), "the write waits for the lock")
                self.kill(server)
            self.start()
            submitted.result()

    def kill(self, server: str) -> None:
        """Kill it."""
        self.deaths += 1
        self.twin.stack.servers[server].kill()

    def start(self) -> None:
        """Start what is dead, those that are called before those that call."""
        for name in self.servers:
            if not self.twin.stack.servers[name].running:
                self.twin.stack.servers[name].start()

    def clear(self) -> None:
        """Delete all todos."""
        self.twin.rows("DELETE FROM payment; DELETE FROM todo")

    def todos(self) -> list[tuple[int, str]]:
        """Return ids and tasks; raise AssertionError if something does not settle."""
        assert self.twin.settle() == [], "something is STUCK"
        return [(row[0], row[1]) for row in self.twin.todos()]


a_server = st.runner().flatmap(lambda life: st.sampled_from(life.subject.servers))


class Life(RuleBasedStateMachine):
    """The rules by which a life goes on. A subclass has its subject."""

    subject: ClassVar[Subject]
    operations = Bundle("operation")
    todos = Bundle("todo")
    known = todos.filter(lambda todo: todo.todo_id is not None)
    """Those of which their client was told the id."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model(self.subject.durable)
        self.dead: set[str] = set()
        self.number = 0
        self.contradicted = False
        self.subject.clear()

    @initialize(targets=(operations, todos))
    def begin(self) -> ClientOperation:
        """Add the first todo, so that there is one to do something with."""
        return self._submit(ClientOperation("add", self._name("todo"), new_key()))

    @rule(targets=(operations, todos))
    def add(self) -> ClientOperation:
        """Add a todo."""
        return self._submit(ClientOperation("add", self._name("todo"), new_key()))

    @rule(target=operations, todo=known)
    def update(self, todo: ClientOperation) -> ClientOperation:
        """Change a todo."""
        return self._submit(ClientOperation("update", self._name("changed"), new_key(), todo.todo_id))

    @rule(target=operations, todo=known)
    def delete(self, todo: ClientOperation) -> ClientOperation:
        """Delete a todo."""
        return self._submit(ClientOperation("delete", todo.marker, new_key(), todo.todo_id))

    @rule(target=operations)
    def clear(self) -> ClientOperation:
        """Delete all todos."""
        return self._submit(ClientOperation("clear", "everything", new_key()))

    @rule(operation=operations)
    def again(self, operation: ClientOperation) -> None:
        """Submit it again with the same key."""
        self._submit(operation)

    @precondition(lambda self: not self.dead)
    @rule(targets=(operations, todos), dies=a_server)
    def add_while(self, dies: str) -> ClientOperation:
        """Add a todo, and let a server die before the commit; it is started again."""
        return self._submit(ClientOperation("add", self._name("todo"), new_key()), dies)

    @precondition(lambda self: not self.dead)
    @rule(server=a_server)
    def kill(self, server: str) -> None:
        """Kill a server."""
        self.dead.add(server)
        self.subject.kill(server)

    @precondition(lambda self: self.dead)
    @rule()
    def start(self) -> None:
        """Start what is dead."""
        self.subject.start()
        self.dead.clear()

    def teardown(self) -> None:
        """Start everything, and compare with the model."""
        self.subject.start()
        if not self.contradicted:
            self.model.check(self.subject.todos())

    def _name(self, what: str) -> str:
        self.number += 1
        return f"{what} {self.number}"

    def _submit(self, operation: ClientOperation, dies: str = "") -> ClientOperation:
        if dies:
            self.subject.submit_and_kill(operation, dies)
        else:
            self.subject.submit(operation)
        self.contradicted = True
        self.model.record(operation)
        self.contradicted = False
        if operation.kind == "add" and operation.outcome is Outcome.OK:
            operation.todo_id = operation.answer["id"]
        return operation


def live(subject: Subject, lives: int, start: int, steps: int = 12) -> None:
    """Let it live so many lives; `start` is the seed. Raises AssertionError with the shortest bad one that it found."""
    machine = type(f"{'Restate' if subject.durable else 'Plain'}Life", (Life,), {"subject": subject})
    run_state_machine_as_test(
        seed(start)(machine),
        settings=examples(lives, stateful_step_count=steps, report_multiple_bugs=False),
    )
