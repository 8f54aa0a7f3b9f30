"""Lives of both twins, and of made-up ones: what must not be is found, and printed as a scenario."""

import re

import pytest

from tests.fuzz.life import LivingTwin, live
from tests.support.history import ClientOperation, Outcome
from tests.support.running_twin import RunningTwin

SEED = 104
"""Of many, one of which few lives have much of everything."""
LIVES = 4
MOST_STEPS = 6
"""Of a life that is cut down from twice as many; three are enough, but not each cut is found."""


@pytest.mark.timeout(1200)  # If it fails, the life is cut down, which takes many lives more.
def test_lives(twin: RunningTwin) -> None:
    """Nothing is lost, doubled or stuck, and nothing comes back, whatever dies and whatever is submitted again."""
    live(LivingTwin(twin), LIVES, SEED)


class MadeUpTwin:
    """A twin in memory with a flaw, or without one."""

    servers = ("web", "db")

    def __init__(self, *, durable: bool, flaw: str = "") -> None:
        self.durable = durable
        self.flaw = flaw
        self.rows: dict[int, str] = {}
        self.answers: dict[str, tuple[Outcome, str, object]] = {}
        self.dead = False
        self.last_id = 0

    def submit(self, operation: ClientOperation) -> None:
        """Do it at once."""
        if self.dead:
            operation.record(Outcome.FAIL, "connection refused")
            return
        if not (self.durable and operation.key in self.answers) or self.flaw == "repeats":
            self.answers[operation.key] = self._done(operation)
        outcome, detail, operation.answer = self.answers[operation.key]
        operation.record(outcome, detail)

    def _done(self, operation: ClientOperation) -> tuple[Outcome, str, object]:
        if operation.kind == "add":
            self.last_id += 1
            if self.flaw != "loses" or len(self.rows) != 1:
                self.rows[self.last_id] = operation.marker
            return Outcome.OK, "201", {"id": self.last_id}
        if operation.kind == "clear":
            if self.flaw != "keeps":
                self.rows.clear()
            return Outcome.OK, "204", None
        if operation.todo_id not in self.rows:
            return Outcome.FAIL, "404", None
        if operation.kind == "update":
            self.rows[operation.todo_id] = operation.marker if self.flaw != "mistakes" else "something else"
            return Outcome.OK, "200", {"id": operation.todo_id}
        del self.rows[operation.todo_id]
        return Outcome.OK, "204", None

    def submit_and_kill(self, operation: ClientOperation, server: str) -> None:
        """Do it, and say nothing, where it is the web that dies."""
        self.submit(operation)
        if server == "web":
            operation.record(Outcome.UNKNOWN, "connection lost")

    def kill(self, server: str) -> None:
        """Be dead."""
        del server
        self.dead = True

    def start(self) -> None:
        """Live again."""
        if self.dead and self.flaw == "forgets":
            self.rows.clear()
        self.dead = False

    def clear(self) -> None:
        """Begin anew."""
        self.rows.clear()
        self.answers.clear()

    def todos(self) -> list[tuple[int, str]]:
        """Return what is there."""
        return list(self.rows.items())


@pytest.mark.parametrize("durable", [False, True])
def test_flawless(durable: bool) -> None:
    """Where nothing is wrong, nothing is found."""
    live(MadeUpTwin(durable=durable), 100, SEED)


@pytest.mark.parametrize(
    ("flaw", "message", "scenario"),
    [
        (
            "repeats",
            "the same key got another answer",
            ["operation_0", "todo_0", "begin()", "again(operation=operation_0)"],
        ),
        ("loses", "LOST|must be there: not found", ["begin()", "add()"]),
        ("keeps", "came back", ["begin()", "clear()"]),
        ("mistakes", "and not one of", ["begin()", "update(todo="]),
        ("forgets", "is LOST", ["begin()", "kill(server='web')"]),
    ],
)
def test_flaw(flaw: str, message: str, scenario: list[str]) -> None:
    """A flaw is found, and the notes of the failure are the few steps that show it."""
    with pytest.raises(AssertionError) as failure:
        live(MadeUpTwin(durable=True, flaw=flaw), 200, SEED)
    printed = "\n".join([str(failure.value), *failure.value.__notes__])
    assert re.search(message, printed)
    steps = [line for line in printed.splitlines() if "state." in line and "teardown" not in line]
    assert all(part in "\n".join(steps) for part in scenario), printed
    assert len(steps) <= MOST_STEPS, printed
