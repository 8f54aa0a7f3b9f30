"""The faults: what can happen while a message is held at a seam."""

import enum
from dataclasses import dataclass

from tests.faultlab.laboratory import PROCESSES
from tests.faultlab.matrix.seams import Seam
from todo_stack.twins import RESTATE

SHORT_STALL_SECONDS = 1.0


class FaultKind(enum.Enum):
    """What a fault does."""

    RESET = "the connection is reset (RST on both sides)"
    STALL = f"the message is {SHORT_STALL_SECONDS:g} s late"
    LONG_STALL = "the message is late, longer than every time-out"
    KILL = "SIGKILL, and a start when the client has its answer"
    TERMINATE = "SIGTERM, which lets running requests finish, and a start afterwards"
    SHUTDOWN = "immediate shutdown of the database (SIGQUIT), and a start when the client has its answer"
    PAUSE = "SIGSTOP, longer than every time-out, then SIGCONT"
    POWER_CUT = "SIGKILL of everything at once, and a start of everything"
    READ_ONLY = "the database refuses writes until the client has its answer"
    POOL = "all connections of the pool are in use until the client has its answer"


_NOT_FOR_THE_JOB = (FaultKind.STALL, FaultKind.TERMINATE, FaultKind.SHUTDOWN)


@dataclass(frozen=True)
class Fault:
    """One way to fail; `process` is the one that it hits, if it hits one."""

    name: str
    kind: FaultKind
    process: str = ""

    def why_left_out(self, seam: Seam) -> str:
        """Return why this fault makes no sense at this seam; nothing if it does."""
        if self.name == "pause database" and seam.undone:
            return "whether the undoing can be recorded before the freeze ends is chance"
        if seam.delayed and not seam.twin.durable and self.kind in _NOT_FOR_THE_JOB:
            return "the job mails one reminder after the other, so that few can be tried: this one is left to others"
        if self.kind in (FaultKind.READ_ONLY, FaultKind.POOL):
            return "" if seam.name == "request" else "a condition that is met where the write begins, not in its middle"
        if not self.process:
            return ""
        if self.process not in PROCESSES[seam.twin]:
            return f"{seam.twin.title} has no {self.process}"
        if self.kind is FaultKind.PAUSE:
            return "" if self.process in seam.ends else f"the {self.process} has no part in this message"
        if self.process not in seam.involved:
            return f"the {self.process} has nothing to do with the operation at this moment"
        return ""


FAULTS = [
    Fault("connection reset", FaultKind.RESET),
    Fault("stall", FaultKind.STALL),
    Fault("long stall", FaultKind.LONG_STALL),
    *(Fault(f"kill {process}", FaultKind.KILL, process) for process in PROCESSES[RESTATE]),
    Fault("shut down database", FaultKind.SHUTDOWN, "database"),
    *(Fault(f"terminate {process}", FaultKind.TERMINATE, process) for process in ("web", "service")),
    *(Fault(f"pause {process}", FaultKind.PAUSE, process) for process in PROCESSES[RESTATE]),
    Fault("power cut", FaultKind.POWER_CUT),
    Fault("read-only database", FaultKind.READ_ONLY),
    Fault("pool exhausted", FaultKind.POOL),
]
