"""What became of operations: as their clients saw it, as the database has it, and the verdict on both."""

import enum
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


class Outcome(enum.Enum):
    """The client's side of one operation."""

    OK = "ok"
    """It was told that it worked."""
    FAIL = "fail"
    """It was told that it did not."""
    PENDING = "pending"
    """It was told that it will."""
    UNKNOWN = "unknown"
    """It was told nothing: no answer, a time-out, a lost connection."""


class Verdict(enum.Enum):
    """What an operation came to, once everything was healthy and quiet again."""

    EXACTLY_ONCE = "exactly once"
    REFUSED = "refused"
    NOT_APPLIED = "unknown, not applied"
    GHOST = "unknown, applied (ghost)"
    LOST = "LOST"
    DUPLICATED = "DUPLICATED"
    STUCK = "STUCK"


@dataclass
class ClientOperation:
    """One operation of one client; times are seconds of the monotonic clock."""

    kind: str
    """add, update, delete or clear."""
    marker: str
    """What its effect is recognised by in the database."""
    key: str
    """Its request id."""
    todo_id: int | None = None
    """The todo that it changes or deletes, or has added."""
    invoked_at: float = field(default_factory=time.monotonic)
    completed_at: float | None = None
    outcome: Outcome = Outcome.UNKNOWN
    detail: str = ""
    """What the client was told, in short."""
    answer: Any = None
    """The body of the last answer, if it was JSON."""
    operation_id: str = ""
    """Where it can ask what became of it, if it is pending."""
    effect: int | None = None
    """How many times its effect is in the database in the end."""
    settled: bool = True
    """Whether nothing was still working on it when the effects were counted."""

    def request(self) -> tuple[str, str, dict[str, str] | None]:
        """Return method, path below /api/todos and body with which the JSON API is asked for it."""
        return {
            "add": ("POST", "", {"title": self.marker}),
            "update": ("PATCH", f"/{self.todo_id}", {"title": self.marker}),
            "delete": ("DELETE", f"/{self.todo_id}", None),
            "clear": ("DELETE", "", None),
        }[self.kind]

    def count_effect(self, tasks: Counter[str]) -> None:
        """Count its effect among the tasks in the database: of a deletion that the todo is gone, else its text."""
        there = tasks[self.marker]
        self.effect = int(there == 0) if self.kind == "delete" else there

    def record(self, outcome: Outcome, detail: str) -> None:
        """Record what the client was told, now."""
        self.outcome, self.detail, self.completed_at = outcome, detail, time.monotonic()


def judge(operation: ClientOperation) -> Verdict:
    """Return the verdict on an operation whose effect has been counted; if not, raise ValueError."""
    if operation.effect is None:
        raise ValueError(f"the effect of {operation.kind} {operation.marker} was not counted")
    outcome = operation.outcome
    if operation.effect >= 2:
        return Verdict.DUPLICATED
    if not operation.settled and outcome in (Outcome.PENDING, Outcome.UNKNOWN):
        return Verdict.STUCK
    if outcome in (Outcome.OK, Outcome.PENDING):
        return Verdict.EXACTLY_ONCE if operation.effect == 1 else Verdict.LOST
    if operation.effect == 1:
        return Verdict.GHOST
    return Verdict.REFUSED if outcome is Outcome.FAIL else Verdict.NOT_APPLIED


class NothingProvedError(AssertionError):
    """Too few operations succeeded for the run to say anything."""


def count(operations: Iterable[ClientOperation], *, minimum_ok: int) -> Counter[Verdict]:
    """Return how many came to each verdict; raise NothingProvedError if fewer than minimum_ok were exactly once."""
    verdicts = Counter(judge(operation) for operation in operations)
    if verdicts[Verdict.EXACTLY_ONCE] < minimum_ok:
        raise NothingProvedError(
            f"only {verdicts[Verdict.EXACTLY_ONCE]} of {verdicts.total()} operations succeeded, at least {minimum_ok} "
            f"must for the run to prove anything: {describe(verdicts)}"
        )
    return verdicts


def describe(verdicts: Counter[Verdict]) -> str:
    """Return the counts as a line of text."""
    return ", ".join(f"{verdict.value} {verdicts[verdict]}" for verdict in Verdict if verdicts[verdict])
