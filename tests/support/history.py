"""What became of operations: as their clients saw it, as the database has it, and the verdict on both."""

import enum
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple


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
    HALF_DONE = "HALF DONE"
    STUCK = "STUCK"


class Truth(NamedTuple):
    """What there is of an operation, in the database and in the outside world."""

    times: int = 0
    """How often all of it is there."""
    half: str = ""
    """Which part of it is there without the other, in words: money without a record, a meeting without its room."""
    goes_on: bool = False
    """Whether a record says that it is still going on."""

    def __str__(self) -> str:
        number = {0: "not at all", 1: "once"}.get(self.times, f"{self.times} times")
        return self.half or ("recorded as going on" if self.goes_on else number)


NOTHING, WHOLE = Truth(), Truth(1)


MEETING = {"start": "2030-01-31T09:00:00Z", "minutes": 30, "invite": "ann@example.org"}


@dataclass
class ClientOperation:
    """One operation of one client; times are seconds of the monotonic clock."""

    kind: str
    """add, update, delete or clear; or a feature's: see tests.support.truth."""
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
    truth: Truth | None = None
    """What there is of it in the end."""
    settled: bool = True
    """Whether nothing was still working on it when the effects were counted."""

    def request(self) -> tuple[str, str, dict[str, Any] | None]:
        """Return method, path below /api/todos and body with which the JSON API is asked for it."""
        todo = f"/{self.todo_id}"
        return {
            "add": ("POST", "", {"title": self.marker}),
            "update": ("PATCH", todo, {"title": self.marker}),
            "delete": ("DELETE", todo, None),
            "clear": ("DELETE", "", None),
            "pay": ("POST", f"{todo}/bounty/payment", None),
            "refund": ("POST", f"{todo}/bounty/refund", None),
            "tell": ("PATCH", todo, {"completed": True}),
            # Not due before what breaks its setting has been done.
            "set reminder": ("PUT", f"{todo}/reminder", {"in_seconds": 5}),
            "remind": ("PUT", f"{todo}/reminder", {"in_seconds": 1}),
            "plan": ("POST", f"{todo}/meeting", {**MEETING, "room": f"room {self.todo_id}"}),
            "cancel": ("DELETE", f"{todo}/meeting", None),
            "delete met": ("DELETE", todo, None),
        }[self.kind]

    def record(self, outcome: Outcome, detail: str) -> None:
        """Record what the client was told, now."""
        self.outcome, self.detail, self.completed_at = outcome, detail, time.monotonic()


def judge(operation: ClientOperation) -> Verdict:
    """Return the verdict on an operation whose effect has been counted; if not, raise ValueError."""
    if operation.truth is None:
        raise ValueError(f"the effect of {operation.kind} {operation.marker} was not counted")
    outcome = operation.outcome
    if not operation.settled and outcome in (Outcome.PENDING, Outcome.UNKNOWN):
        return verdict_on(outcome, operation.truth._replace(goes_on=True))
    return verdict_on(outcome, operation.truth)


def verdict_on(outcome: Outcome, truth: Truth) -> Verdict:
    """Return the verdict on what a client was told last and what there is in the end, when nothing goes on."""
    if truth.times >= 2:
        return Verdict.DUPLICATED
    if truth.goes_on:
        return Verdict.STUCK
    if truth.half:
        return Verdict.HALF_DONE
    if outcome in (Outcome.OK, Outcome.PENDING):
        return Verdict.EXACTLY_ONCE if truth.times else Verdict.LOST
    if truth.times:
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
