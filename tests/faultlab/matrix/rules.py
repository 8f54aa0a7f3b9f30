"""The rules: what an operation must come to, by twin, seam, fault and client, and why.

A cell's expectation is made of two things. What the first submission comes to: what its client is told, and what there
is of it in the end. And what a second submission makes of that.

What there is of an operation while each of its messages is held was seen in undisturbed runs (seams.json). The rules
say at which of its messages a fault ends it: in the plain twin it stays as it is there, in the Restate twin it goes on.
"""

from typing import NamedTuple

from tests.faultlab.laboratory import OUTSIDE
from tests.faultlab.matrix.again import submitted_again
from tests.faultlab.matrix.faults import FAULTS, Fault, FaultKind
from tests.faultlab.matrix.seams import Seam
from tests.faultlab.matrix.undoing import planning
from tests.support.control import LEDGER_ONLY
from tests.support.history import NOTHING, WHOLE, Outcome, Truth, Verdict, verdict_on
from tests.support.truth import FEATURES

GIVES_UP = "gives up"
RESUBMITS = "resubmits"
CLIENTS = (GIVES_UP, RESUBMITS)


def clients_at(seam: Seam, fault: Fault) -> tuple[str, ...]:
    """Return the kinds of clients that are tried at a seam with a fault."""
    if seam.background or seam.operation == "set reminder":
        # Behind its back, a client has nothing to give up or to submit again; and what it asks for again, in so many
        # seconds, is another reminder.
        return (GIVES_UP,)
    if seam.operation in FEATURES and seam.operation != "pay" and seam.twin.durable:
        # So many seams take turns: each has both kinds, with one fault or another. All would be a quarter more cells,
        # and what a second submission does, to join the first, is the same in all of them.
        return (CLIENTS[(len(seam.earlier) + FAULTS.index(fault)) % 2],)
    return CLIENTS


class Submission(NamedTuple):
    """What the first submission comes to."""

    outcome: Outcome
    truth: Truth
    because: str
    slow: bool = False
    """Whether the client may have given up before it is told, where that makes no difference to the verdict."""


def expected_outcomes(seam: Seam, fault: Fault) -> tuple[Outcome, ...]:
    """Return what the first submission may be told: both kinds of good news where only speed decides."""
    first = first_submission(seam, fault)
    if first.slow:
        return (Outcome.FAIL, Outcome.UNKNOWN)
    return (Outcome.OK, Outcome.PENDING) if first.outcome is Outcome.PENDING else (first.outcome,)


def expected(seam: Seam, fault: Fault, client: str) -> tuple[Verdict, str]:
    """Return the verdict that a cell must come to, and the sentence that explains it."""
    outcome, truth, because, _ = first_submission(seam, fault)
    if outcome in (Outcome.OK, Outcome.PENDING):
        if truth == WHOLE:
            return verdict_on(outcome, truth), because if because.endswith(".") else f"{because}."
        return verdict_on(outcome, truth), f"{because}; {_left(truth)}."
    if client == GIVES_UP:
        return verdict_on(outcome, truth), f"{because}; {_left(truth)}."
    if truth == NOTHING:
        return Verdict.EXACTLY_ONCE, f"{because}; submitted again, it is done."
    if seam.twin.durable:
        return Verdict.EXACTLY_ONCE, f"{because}; submitted again, it joins the first under its request id."
    if seam.twin == LEDGER_ONLY:
        return Verdict.EXACTLY_ONCE, f"{because}; submitted again, its key is in the ledger, and it goes on from there."
    verdict, again = submitted_again(seam.operation, truth)
    return verdict, f"{because}; submitted again, {again}"


def first_submission(seam: Seam, fault: Fault) -> Submission:
    """Return what the first submission comes to."""
    if same := _both(seam, fault):
        return same
    if seam.twin.durable:
        return _restate(seam, fault)
    if undone := planning(seam, fault):
        return Submission(*undone)
    return _plain(seam, fault)


def _left(truth: Truth) -> str:
    if truth.goes_on:
        return f"it is recorded as going on{', ' * bool(truth.half)}{truth.half}, until somebody looks"
    if truth.half:
        return f"it is {truth.half}"
    return "it is in the database all the same" if truth.times else "it is not in the database"


def _safe(seam: Seam) -> Truth:
    """Return what there is in the end if no web application works on it any more: Restate does, if it has the call."""
    return WHOLE if seam.safe else seam.comes_to


def _both(seam: Seam, fault: Fault) -> Submission | None:
    """Return what is the same in both twins: no other process answers for the web application."""
    match fault.kind:
        case _ if seam.background and seam.twin.durable:
            because = "The client has its answer. Restate sees to the rest, and a key makes a repetition harmless."
            return Submission(Outcome.OK, WHOLE, because)
        case _ if seam.background:
            because = "The job looks again a second later, and the mailbox knows the mail by its key."
            return Submission(Outcome.OK, WHOLE, because)
        case FaultKind.STALL:
            # The time for an answer may be over by then, and a promise is given.
            return Submission(Outcome.PENDING if seam.twin.durable else Outcome.OK, WHOLE, "It is only late.")
        case FaultKind.RESET if "client" in seam.ends:
            return Submission(Outcome.UNKNOWN, _safe(seam), "The client's connection is lost")
        case FaultKind.LONG_STALL if "client" in seam.ends:
            return Submission(Outcome.UNKNOWN, WHOLE, f"The client has given up when the {seam.name} arrives")
        case FaultKind.KILL if fault.process == "web":
            return Submission(Outcome.UNKNOWN, _safe(seam), "The process that would have answered is dead")
        case FaultKind.TERMINATE if fault.process == "web" and seam.name == "request":
            return Submission(Outcome.UNKNOWN, NOTHING, "A stopping server takes no request that it has not begun")
        case FaultKind.TERMINATE if fault.process == "web":
            because = "The web application finishes its requests before it stops."
            return Submission(Outcome.PENDING if seam.twin.durable else Outcome.OK, WHOLE, because)
        case FaultKind.POWER_CUT:
            return Submission(Outcome.UNKNOWN, _safe(seam), "Everything is dead, and nobody answers")
    return None


def _plain(seam: Seam, fault: Fault) -> Submission:
    """The web application answers for all of it, and what it cannot finish stays as it is."""
    other = OUTSIDE if OUTSIDE in seam.ends else "database"
    match fault.kind:
        case FaultKind.RESET:
            return _failed(seam, seam.comes_to, f"The {other}'s connection is lost")
        case FaultKind.LONG_STALL:
            # What is asked of the outside world arrives when nobody waits for the answer any more.
            truth = _when_answered(seam) if other == OUTSIDE else seam.comes_to
            return _failed(seam, truth, f"The web gives up on the silent {other}")
        case FaultKind.KILL | FaultKind.SHUTDOWN if fault.process in seam.ends:
            return _failed(seam, seam.comes_to, f"The {fault.process} is gone")
        case FaultKind.KILL | FaultKind.SHUTDOWN:
            return _without(seam, fault.process, "is gone", "is not needed any more.")
        case FaultKind.PAUSE if seam.name == "response":
            return Submission(Outcome.OK, WHOLE, "The answer was out before the process froze.")
        case FaultKind.PAUSE if fault.process == "web":
            # It goes on afterwards, but the database has ended a transaction that was open all the time.
            truth = seam.comes_to if seam.kind.name in ("statement", "row", "ledger") else WHOLE
            return Submission(Outcome.UNKNOWN, truth, "The web application is frozen until its client has given up")
        case FaultKind.PAUSE if seam.ends[1] == fault.process:
            truth = _when_answered(seam) if fault.process == OUTSIDE else seam.comes_to
            # A cancelling asks for one thing after the other.
            slow = fault.process == OUTSIDE and seam.operation in ("cancel", "delete met")
            return _failed(seam, truth, f"The web gives up on the frozen {other}")._replace(slow=slow)
        case FaultKind.PAUSE:
            found = _without(seam, fault.process, "is frozen when it is needed again", "had answered before it froze.")
            # It waits for its old connection, and then for a new one.
            return found._replace(slow=bool(found.truth.goes_on or found.truth.half))
        case FaultKind.READ_ONLY:
            refused = next(later for later in seam.later if later.kind.name == "statement")
            return _failed(refused, refused.comes_to, "The database refuses the write")
        case FaultKind.POOL:
            return _failed(seam, NOTHING, "No connection is free in time")
    raise LookupError(f"no rule for {fault.name}")


def _failed(at: Seam, truth: Truth, because: str) -> Submission:
    """The web cannot go on at a seam; it says so, but where the todo is completed and only its watcher is not told."""
    begun = [at, *at.later]
    if at.operation == "tell" and not any(later.kind.name == "ask" for later in begun[1:]):
        return Submission(Outcome.OK, truth, f"{because}, which is only logged")
    return Submission(Outcome.FAIL, truth, f"{because}, so the page says 503")


def _when_answered(seam: Seam) -> Truth:
    """Return what there is when the outside world has done what it is asked for at this seam."""
    return next(later.truth for later in [seam, *seam.later] if later.kind.name == "answer")


def _without(seam: Seam, process: str, because: str, not_needed: str) -> Submission:
    """The web goes on until it needs the process."""
    needing = next((later for later in seam.later if later.ends[1] == process), None)
    if needing is None:
        return Submission(Outcome.OK, WHOLE, f"The {process} {not_needed}")
    return _failed(needing, needing.comes_to, f"The {process} {because}")


def _restate(seam: Seam, fault: Fault) -> Submission:
    """Once Restate has the call it is done; the web application can still fail to say so."""
    accepted = WHOLE if seam.accepted else NOTHING
    match fault.kind:
        case FaultKind.RESET if seam.name in ("call", "return"):
            return Submission(Outcome.PENDING, WHOLE, "The web application calls again under the same key.")
        case FaultKind.LONG_STALL if seam.name in ("call", "return"):
            return Submission(Outcome.PENDING, WHOLE, "The web application asks again, and promises.")
        case FaultKind.KILL if fault.process == "Restate":
            return Submission(Outcome.FAIL, accepted, "The Restate server is gone, so the page says 503")
        case FaultKind.PAUSE if seam.ends[0] == fault.process and seam.name in ("return", "response"):
            return Submission(Outcome.OK, WHOLE, "The answer was out before the process froze.")
        case FaultKind.PAUSE if fault.process == "web":
            return Submission(Outcome.UNKNOWN, WHOLE, "The web application is frozen until its client has given up")
        case FaultKind.PAUSE if fault.process == "Restate" and seam.name == "call":
            return Submission(Outcome.FAIL, NOTHING, "The frozen Restate server has not taken the call, and will not")
        case FaultKind.PAUSE if fault.process == "Restate":
            return Submission(Outcome.FAIL, WHOLE, "The Restate server is frozen, so the page says 503")
    because = "Restate has the call and sees to it; where it repeats the step, the ledger makes that harmless."
    if OUTSIDE in seam.ends:
        because = "Restate has the call and sees to it; where it asks again, the key makes that harmless."
    return Submission(Outcome.PENDING, WHOLE, because)
