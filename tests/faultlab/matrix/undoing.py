"""The rules for a meeting in the plain twin: what was begun is undone, as far as that and its record are possible."""

from typing import NamedTuple

from tests.faultlab.laboratory import OUTSIDE
from tests.faultlab.matrix.faults import Fault, FaultKind
from tests.faultlab.matrix.seams import Seam
from tests.support.history import NOTHING, WHOLE, Outcome, Truth


class Undone(NamedTuple):
    """What planning comes to; `slow` is that the client may have given up before it is told."""

    outcome: Outcome
    truth: Truth
    because: str
    slow: bool = False


def planning(seam: Seam, fault: Fault) -> Undone | None:
    """Return what becomes of a planning that has begun; None where it is as with every other write."""
    begun = "committed" in {before.kind.name for before in seam.earlier}
    if seam.operation != "plan" or not begun or "client" in seam.ends:
        return None
    needed = [later for later in seam.later if later.ends[1] == fault.process]
    match fault.kind:
        case FaultKind.RESET | FaultKind.LONG_STALL:
            other = OUTSIDE if OUTSIDE in seam.ends else "database"
            return Undone(
                Outcome.FAIL, NOTHING, f"The {other} fails once, and what was begun is undone; the page says 503"
            )
        case FaultKind.KILL | FaultKind.SHUTDOWN if fault.process == "database":
            # What is recorded when the next statement fails stays so; in the outside world everything is undone.
            recorded = seam.truth if "database" in seam.ends else needed[0].truth
            truth = Truth(
                half="" if recorded.goes_on else "recorded as planned, with nothing booked", goes_on=recorded.goes_on
            )
            return Undone(
                Outcome.FAIL, truth, "What was begun is undone, but without a database nobody writes that down"
            )
        case FaultKind.KILL if fault.process == OUTSIDE:
            return Undone(
                Outcome.FAIL, Truth(goes_on=True), "The outside world is gone, and nothing can be undone there"
            )
        case FaultKind.PAUSE if fault.process == OUTSIDE and (seam.ends[1] == OUTSIDE or needed):
            because = "The outside world is frozen, and what was begun cannot be undone there"
            return Undone(Outcome.FAIL, Truth(goes_on=True), because, slow=True)
        case FaultKind.PAUSE if fault.process == "web" and seam.kind.name == "statement":
            because = "The database has ended the transaction of the frozen web application, which then undoes all"
            return Undone(Outcome.UNKNOWN, NOTHING, because)
        case FaultKind.PAUSE if fault.process == OUTSIDE:
            return Undone(Outcome.OK, WHOLE, "The outside world had answered before it froze.")
    return None
