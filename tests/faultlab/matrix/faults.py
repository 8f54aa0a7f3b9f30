"""The faults: what is done to the operations that are held at a seam, and how it is mended."""

import enum
import os
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import tenacity

from tests.faultlab.laboratory import LONGER_THAN_EVERY_TIMEOUT_SECONDS, POOL_SIZE, Laboratory
from tests.faultlab.matrix.seams import Seam
from tests.faultlab.wire import Held, Sent
from tests.support.database import execute
from tests.support.running_twin import RunningServer
from todo_stack.twins import PLAIN, RESTATE

SHORT_STALL_SECONDS = 1.0
FILLER = "filler of the pool"


class How(enum.Enum):
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


@dataclass(frozen=True)
class Fault:
    """One way to fail; `process` is whom it hits, if it hits one."""

    name: str
    how: How
    process: str = ""

    def impossible(self, seam: Seam) -> str:
        """Return why this fault makes no sense at this seam; nothing if it does."""
        if self.how in (How.READ_ONLY, How.POOL):
            return "" if seam.name == "request" else "a condition that is met where the write begins, not in its middle"
        if not self.process:
            return ""
        if self.process not in PROCESSES[seam.twin]:
            return f"the plain twin has no {self.process}"
        if self.how is How.PAUSE and self.process not in (seam.sender, seam.receiver):
            return f"the {self.process} has no part in this message"
        if self.how in (How.KILL, How.SHUTDOWN, How.TERMINATE) and self.process not in seam.involved:
            return f"the {self.process} has nothing to do with the operation at this moment"
        return ""


def _faults(processes: Sequence[str]) -> list[Fault]:
    return [
        Fault("connection reset", How.RESET),
        Fault("stall", How.STALL),
        Fault("long stall", How.LONG_STALL),
        *[Fault(f"kill {process}", How.KILL, process) for process in processes],
        Fault("shut down database", How.SHUTDOWN, "database"),
        *[Fault(f"terminate {process}", How.TERMINATE, process) for process in processes if process in APPLICATIONS],
        *[Fault(f"pause {process}", How.PAUSE, process) for process in processes],
        Fault("power cut", How.POWER_CUT),
        Fault("read-only database", How.READ_ONLY),
        Fault("pool exhausted", How.POOL),
    ]


APPLICATIONS = ("web", "service")
PROCESSES = {PLAIN.key: ("web", "database"), RESTATE.key: ("web", "Restate", "service", "database")}

FAULTS = {twin: _faults(PROCESSES[RESTATE.key]) for twin in PROCESSES}
"""By twin: the same for both, though those of a process that a twin has not are impossible there."""


class Breaker:
    """Does a fault to a laboratory, and mends it.

    Tells `note` what it did: kind "fault" or "heal", words, and the process that it happened to, or "everything".
    """

    def __init__(self, lab: Laboratory, fault: Fault, note: Callable[[str, str, str], None]) -> None:
        self._lab = lab
        self._fault = fault
        self._note = note
        self._fillers: list[threading.Thread] = []

    def server(self, process: str) -> RunningServer:
        """Return the server of a process as the seams call it."""
        if process == "web":
            return self._lab.twin.web
        return self._lab.stack.servers[{"service": "restate_app", "database": "db", "Restate": "restate"}[process]]

    def strike(self, held: Sequence[tuple[Seam, Held]]) -> None:
        """Do it, while these messages are held; afterwards they are no longer."""
        how, process = self._fault.how, self._fault.process
        match how:
            case How.RESET:
                for _, message in held:
                    message.reset()
            case How.STALL:
                self._last(SHORT_STALL_SECONDS, "the message is late")
                self._release(held)
            case How.LONG_STALL:
                self._last(LONGER_THAN_EVERY_TIMEOUT_SECONDS, "the message is late, longer than every time-out")
                self._release(held)
            case How.KILL:
                self._note("fault", f"SIGKILL {process}", process)
                self.server(process).kill()
                self._lose_what_was_at(process, held)
            case How.SHUTDOWN:
                self._note("fault", "immediate shutdown of the database", process)
                self._shut_down(self.server("database"))
                self._lose_what_was_at(process, held)
            case How.TERMINATE:
                self._note("fault", f"SIGTERM {process}", "")
                self._terminate(self.server(process), held)
            case How.PAUSE:
                self._note("fault", f"SIGSTOP {process}", process)
                self.server(process).pause()
                self._release(held)
                self._last(LONGER_THAN_EVERY_TIMEOUT_SECONDS, "")
                self._note("heal", f"SIGCONT {process}", process)
                self.server(process).resume()
            case How.POWER_CUT:
                self._note("fault", "power cut", "everything")
                self._lab.stack.kill()
                for _, message in held:
                    message.reset()
            case How.READ_ONLY:
                self._read_only(on=True)
                self._release(held)
            case How.POOL:
                self._exhaust_pool()
                self._release(held)

    def mend(self) -> None:
        """Undo it: everything runs, all links pass everything."""
        if self._fault.how is How.READ_ONLY:
            self._read_only(on=False)
        for link in self._lab.links.values():
            link.clear()
            link.heal()
        for filler in self._fillers:
            filler.join()
        if self._fault.how is How.POWER_CUT:
            self._lab.stack.start()
            self._note("heal", "everything started again", "everything")
            return
        for server in self._lab.stack.servers.values():
            if not server.running:
                server.start()
                process = next(process for process in PROCESSES[self._lab.which.key] if self.server(process) is server)
                self._note("heal", f"{process} started again", process)

    def _release(self, held: Sequence[tuple[Seam, Held]]) -> None:
        for _, message in held:
            message.release()

    def _lose_what_was_at(self, process: str, held: Sequence[tuple[Seam, Held]]) -> None:
        # A message that the dead process had not sent yet, or would have received, is gone with its connection.
        # One between two others, for whose end the dead one waited, goes on its way.
        for seam, message in held:
            if process in (seam.sender, seam.receiver):
                message.reset()
            else:
                message.release()

    def _last(self, seconds: float, what: str) -> None:
        if what:
            self._note("fault", what, "")
        # This is how long the fault is, not a wait for something.
        threading.Event().wait(seconds)

    def _shut_down(self, database: RunningServer) -> None:
        assert database.pid is not None
        os.kill(database.pid, signal.SIGQUIT)
        _until(lambda: not database.running)

    def _terminate(self, server: RunningServer, held: Sequence[tuple[Seam, Held]]) -> None:
        """Ask a server to end. What it has begun goes on; what it has not comes too late, when it listens no more."""
        begun = [(seam, message) for seam, message in held if seam.name != "request"]
        assert server.pid is not None
        os.kill(server.pid, signal.SIGTERM)
        self._release(begun)
        _until(lambda: not server.running)
        for seam, message in held:
            if (seam, message) not in begun:
                message.release()

    def _exhaust_pool(self) -> None:
        """Hold as many transactions as there are connections."""
        self._note("fault", "all connections of the pool are in use", "")
        point = self._lab.database.hold(Sent("COMMIT", mentioning=FILLER), times=None)
        call = self._lab.twin.call
        for number in range(POOL_SIZE):
            filler = threading.Thread(target=call, args=("POST",), kwargs={"json": {"title": f"{FILLER} {number}"}})
            filler.start()
            self._fillers.append(filler)
        for _ in range(POOL_SIZE):
            point.wait()

    def _read_only(self, *, on: bool) -> None:
        kind, what = ("fault", "the database refuses writes") if on else ("heal", "the database takes writes again")
        self._note(kind, what, "")
        database = self._lab.stack.database_url(self._lab.which)
        # Allowed in a read-only transaction: it changes no data.
        execute(database, f"ALTER SYSTEM SET default_transaction_read_only = {'on' if on else 'off'}")
        execute(database, "SELECT pg_reload_conf()")


def _until(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds.

    Raises:
        tenacity.RetryError: it did not within 20 s.

    """
    waiting = tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda holds: not holds),
        stop=tenacity.stop_after_delay(20),
        wait=tenacity.wait_fixed(0.02),
    )
    waiting(condition)
