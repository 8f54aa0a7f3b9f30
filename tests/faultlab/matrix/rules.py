"""The rules: what an operation must come to, by twin, seam, fault and client, and why.

A cell's expectation is made of two things. What the first submission comes to: what its client is told, and whether
it is applied in the end. And what a second submission adds to that.
"""

from typing import NamedTuple

from tests.faultlab.matrix.faults import Fault, FaultKind
from tests.faultlab.matrix.seams import Seam
from tests.support.history import Outcome, Verdict

GIVES_UP = "gives up"
RESUBMITS = "resubmits"
CLIENTS = (GIVES_UP, RESUBMITS)


class Submission(NamedTuple):
    """What the first submission comes to."""

    outcome: Outcome
    applied: bool
    because: str


def expected_outcomes(seam: Seam, fault: Fault) -> tuple[Outcome, ...]:
    """Return what the first submission may be told: both kinds of good news where only speed decides."""
    outcome = first_submission(seam, fault).outcome
    return (Outcome.OK, Outcome.PENDING) if outcome is Outcome.PENDING else (outcome,)


def expected(seam: Seam, fault: Fault, operation: str, client: str) -> tuple[Verdict, str]:
    """Return the verdict that a cell must come to, and the sentence that explains it."""
    outcome, applied, because = first_submission(seam, fault)
    if outcome in (Outcome.OK, Outcome.PENDING):
        return Verdict.EXACTLY_ONCE, because
    if client == GIVES_UP:
        if applied:
            return Verdict.GHOST, f"{because}; it is in the database all the same."
        not_applied = Verdict.REFUSED if outcome is Outcome.FAIL else Verdict.NOT_APPLIED
        return not_applied, f"{because}; it is not in the database."
    if not applied:
        return Verdict.EXACTLY_ONCE, f"{because}; submitted again, it is done."
    if seam.twin.durable:
        return Verdict.EXACTLY_ONCE, f"{because}; submitted again, it joins the first under its request id."
    verdict, again = {
        "add": (Verdict.DUPLICATED, "it is done a second time."),
        "update": (Verdict.EXACTLY_ONCE, "it sets the same text once more."),
        "delete": (Verdict.GHOST, "its client is told that there is nothing to delete."),
    }[operation]
    return verdict, f"{because}; submitted again, {again}"


def first_submission(seam: Seam, fault: Fault) -> Submission:
    """Return what the first submission comes to, whatever the operation."""
    twin_rules = _restate if seam.twin.durable else _plain
    return _both(seam, fault) or twin_rules(seam, fault)


def _both(seam: Seam, fault: Fault) -> Submission | None:
    """Return what is the same in both twins: no other process answers for the web application."""
    match fault.kind:
        case FaultKind.STALL:
            return Submission(Outcome.OK, True, "It is only late.")
        case FaultKind.RESET if "client" in seam.ends:
            return Submission(Outcome.UNKNOWN, seam.safe, "The client's connection is lost")
        case FaultKind.LONG_STALL if "client" in seam.ends:
            return Submission(Outcome.UNKNOWN, True, f"The client has given up when the {seam.name} arrives")
        case FaultKind.KILL if fault.process == "web":
            return Submission(Outcome.UNKNOWN, seam.safe, "The process that would have answered is dead")
        case FaultKind.TERMINATE if fault.process == "web" and seam.name == "request":
            return Submission(Outcome.UNKNOWN, False, "A stopping server takes no request that it has not begun")
        case FaultKind.TERMINATE if fault.process == "web":
            return Submission(Outcome.OK, True, "The web application finishes its requests before it stops.")
        case FaultKind.POWER_CUT:
            return Submission(Outcome.UNKNOWN, seam.safe, "Everything is dead, and nobody answers")
    return None


def _plain(seam: Seam, fault: Fault) -> Submission:
    """The web application answers for the transaction."""
    match fault.kind:
        case FaultKind.RESET:
            return Submission(Outcome.FAIL, seam.applied, "The database's connection is lost, so the page says 503")
        case FaultKind.LONG_STALL:
            return Submission(Outcome.FAIL, seam.applied, "The web gives up on the silent database and says 503")
        case FaultKind.KILL | FaultKind.SHUTDOWN:
            return Submission(Outcome.FAIL, seam.applied, "The database is gone, so the page says 503")
        case FaultKind.PAUSE if seam.ends[0] == fault.process and seam.applied:
            return Submission(Outcome.OK, True, "The answer was out before the process froze.")
        case FaultKind.PAUSE if fault.process == "web":
            done = seam.applied or seam.name in ("request", "COMMIT")
            return Submission(Outcome.UNKNOWN, done, "The web application is frozen until its client has given up")
        case FaultKind.PAUSE:
            return Submission(Outcome.FAIL, False, "The web gives up on the frozen database and says 503")
        case FaultKind.READ_ONLY:
            return Submission(Outcome.FAIL, False, "The database refuses the write, so the page says 503")
        case FaultKind.POOL:
            return Submission(Outcome.FAIL, False, "No connection is free in time, so the page says 503")
    raise LookupError(f"no rule for {fault.name}")


def _restate(seam: Seam, fault: Fault) -> Submission:
    """Once Restate has the call it is done; the web application can still fail to say so."""
    match fault.kind:
        case FaultKind.RESET if seam.name in ("call", "return"):
            return Submission(Outcome.OK, True, "The web application calls again under the same key.")
        case FaultKind.LONG_STALL if seam.name in ("call", "return"):
            return Submission(Outcome.PENDING, True, "The web application asks again, and promises.")
        case FaultKind.KILL if fault.process == "Restate":
            return Submission(Outcome.FAIL, seam.accepted, "The Restate server is gone, so the page says 503")
        case FaultKind.PAUSE if seam.ends[0] == fault.process and seam.name in ("return", "response"):
            return Submission(Outcome.OK, True, "The answer was out before the process froze.")
        case FaultKind.PAUSE if fault.process == "web":
            return Submission(Outcome.UNKNOWN, True, "The web application is frozen until its client has given up")
        case FaultKind.PAUSE if fault.process == "Restate" and seam.name == "call":
            return Submission(Outcome.FAIL, False, "The frozen Restate server has not taken the call, and will not")
        case FaultKind.PAUSE if fault.process == "Restate":
            return Submission(Outcome.FAIL, True, "The Restate server is frozen, so the page says 503")
    because = "Restate has the call and sees to it; where it repeats the step, the ledger makes that harmless."
    return Submission(Outcome.PENDING, True, because)
