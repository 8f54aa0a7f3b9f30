"""The rules: what an operation must come to, by twin, seam, fault and client, and why.

A cell's expectation is made of two things. What the first submission comes to: what its client is told, and whether
it is applied in the end. And what a second submission adds to that.
"""

from dataclasses import dataclass

from tests.faultlab.matrix.faults import Fault, FaultKind
from tests.faultlab.matrix.seams import Seam
from tests.support.history import Outcome, Verdict

GIVES_UP = "gives up"
RESUBMITS = "resubmits"
CLIENTS = (GIVES_UP, RESUBMITS)


@dataclass(frozen=True)
class Submission:
    """What the first submission comes to."""

    outcome: Outcome
    applied: bool
    because: str


def expected_outcomes(seam: Seam, fault: Fault) -> tuple[Outcome, ...]:
    """Return what the first submission may be told: both kinds of good news where only speed decides."""
    outcome = first_submission(seam, fault).outcome
    return (Outcome.OK, Outcome.PENDING) if outcome is Outcome.PENDING else (outcome,)


def first_submission(seam: Seam, fault: Fault) -> Submission:
    """Return what the first submission comes to, whatever the operation."""
    return _durable(seam, fault) if seam.twin.durable else _plain(seam, fault)


def expected(seam: Seam, fault: Fault, operation: str, client: str) -> tuple[Verdict, str]:
    """Return the verdict that a cell must come to, and the sentence that explains it."""
    first = first_submission(seam, fault)
    if first.outcome in (Outcome.OK, Outcome.PENDING):
        return Verdict.EXACTLY_ONCE, first.because
    if client == GIVES_UP:
        if first.applied:
            return Verdict.GHOST, f"{first.because}; it is in the database all the same."
        refused = first.outcome is Outcome.FAIL
        return Verdict.REFUSED if refused else Verdict.NOT_APPLIED, f"{first.because}; it is not in the database."
    if not first.applied:
        return Verdict.EXACTLY_ONCE, f"{first.because}; submitted again, it is done."
    if seam.twin.durable:
        return Verdict.EXACTLY_ONCE, f"{first.because}; submitted again, it joins the first under its request id."
    match operation:
        case "add":
            return Verdict.DUPLICATED, f"{first.because}; submitted again, it is done again: nobody knows the first."
        case "update":
            return Verdict.EXACTLY_ONCE, f"{first.because}; submitted again, it sets the same text once more."
        case _:
            return (
                Verdict.GHOST,
                f"{first.because}; submitted again, its client is told that there is nothing to delete.",
            )


def _plain(seam: Seam, fault: Fault) -> Submission:
    """The web application answers for the transaction, and nobody for the web application."""
    applied = seam.applied
    match fault.kind:
        case FaultKind.STALL:
            return Submission(Outcome.OK, True, "It is only late.")
        case FaultKind.RESET if "client" in seam.ends:
            return Submission(Outcome.UNKNOWN, applied, "The client's connection is lost")
        case FaultKind.RESET:
            return Submission(Outcome.FAIL, applied, "The database's connection is lost, so the page says 503")
        case FaultKind.LONG_STALL if seam.name == "request":
            return Submission(Outcome.UNKNOWN, True, "The client has given up when its request arrives")
        case FaultKind.LONG_STALL if seam.name == "response":
            return Submission(Outcome.UNKNOWN, True, "The client has given up when the response arrives")
        case FaultKind.LONG_STALL:
            return Submission(Outcome.FAIL, applied, "The web application gives the silent database up and says 503")
        case FaultKind.KILL if fault.process == "web":
            return Submission(Outcome.UNKNOWN, applied, "The process that would have answered is dead")
        case FaultKind.KILL | FaultKind.SHUTDOWN:
            return Submission(Outcome.FAIL, applied, "The database is gone, so the page says 503")
        case FaultKind.TERMINATE if seam.name == "request":
            return Submission(Outcome.UNKNOWN, False, "A stopping server takes no request that it has not begun")
        case FaultKind.TERMINATE:
            return Submission(Outcome.OK, True, "The web application finishes its requests before it stops.")
        case FaultKind.PAUSE if seam.ends[0] == fault.process and seam.applied:
            return Submission(Outcome.OK, True, "The answer was out before the process froze.")
        case FaultKind.PAUSE if fault.process == "web":
            done = seam.applied or seam.name in ("request", "COMMIT")
            return Submission(Outcome.UNKNOWN, done, "The web application is frozen until its client has given up")
        case FaultKind.PAUSE:
            return Submission(Outcome.FAIL, False, "The web application gives the frozen database up and says 503")
        case FaultKind.POWER_CUT:
            return Submission(Outcome.UNKNOWN, applied, "Everything is dead, and nobody answers")
        case FaultKind.READ_ONLY:
            return Submission(Outcome.FAIL, False, "The database refuses the write, so the page says 503")
        case FaultKind.POOL:
            return Submission(Outcome.FAIL, False, "No connection is free in time, so the page says 503")


def _durable(seam: Seam, fault: Fault) -> Submission:
    """Once Restate has the call it is done; the web application can still fail to say so."""
    match fault.kind:
        case FaultKind.STALL:
            return Submission(Outcome.OK, True, "It is only late.")
        case FaultKind.RESET if "client" in seam.ends:
            return Submission(Outcome.UNKNOWN, seam.applied, "The client's connection is lost")
        case FaultKind.RESET if seam.name in ("call", "return"):
            return Submission(Outcome.OK, True, "The web application calls again under the same key.")
        case FaultKind.LONG_STALL if seam.name == "request":
            return Submission(Outcome.UNKNOWN, True, "The client has given up when its request arrives")
        case FaultKind.LONG_STALL if seam.name == "response":
            return Submission(Outcome.UNKNOWN, True, "The client has given up when the response arrives")
        case FaultKind.LONG_STALL if seam.name in ("call", "return"):
            return Submission(Outcome.PENDING, True, "The web application asks again, and promises.")
        case FaultKind.KILL if fault.process == "web":
            return Submission(Outcome.UNKNOWN, seam.accepted, "The process that would have answered is dead")
        case FaultKind.KILL if fault.process == "Restate":
            return Submission(Outcome.FAIL, seam.accepted, "The Restate server is gone, so the page says 503")
        case FaultKind.TERMINATE if fault.process == "web" and seam.name == "request":
            return Submission(Outcome.UNKNOWN, False, "A stopping server takes no request that it has not begun")
        case FaultKind.TERMINATE if fault.process == "web":
            return Submission(Outcome.OK, True, "The web application finishes its requests before it stops.")
        case FaultKind.PAUSE if seam.ends[0] == fault.process and seam.name in ("return", "response"):
            return Submission(Outcome.OK, True, "The answer was out before the process froze.")
        case FaultKind.PAUSE if fault.process == "web":
            return Submission(Outcome.UNKNOWN, True, "The web application is frozen until its client has given up")
        case FaultKind.PAUSE if fault.process == "Restate" and seam.name == "call":
            return Submission(Outcome.FAIL, False, "The frozen Restate server has not taken the call, and will not")
        case FaultKind.PAUSE if fault.process == "Restate":
            return Submission(Outcome.FAIL, True, "The Restate server is frozen, so the page says 503")
        case FaultKind.POWER_CUT:
            return Submission(Outcome.UNKNOWN, seam.accepted, "Everything is dead, and nobody answers")
        case _:
            because = "Restate has the call and sees to it; where it repeats the step, the ledger makes that harmless."
            return Submission(Outcome.PENDING, True, because)
