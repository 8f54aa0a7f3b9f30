"""Does a fault to a laboratory while messages are held there, and mends it."""

import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import psutil

from tests.faultlab.laboratory import (
    LONGER_THAN_EVERY_TIMEOUT_SECONDS,
    OUTSIDE,
    POOL_SIZE,
    Laboratory,
    outside_link,
)
from tests.faultlab.matrix.faults import SHORT_STALL_SECONDS, Fault, FaultKind
from tests.faultlab.matrix.seams import Seam
from tests.faultlab.wire.breakpoints import Held
from tests.faultlab.wire.messages import Sent
from tests.support.database import execute
from tests.support.waiting import until
from todo_stack import tree
from todo_stack.database_roles import SUPERUSER

FILLER = "filler of the pool"

HeldMessages = Sequence[tuple[Seam, Held]]


class FaultInjector:
    """Injects one fault.

    Calls `record` with what it did: kind "fault" or "heal", words, and the process that it happened to, "everything",
    or nothing.
    """

    def __init__(self, lab: Laboratory, fault: Fault, record: Callable[[str, str, str], None]) -> None:
        self._lab = lab
        self._fault = fault
        self._record = record
        self._fillers = ThreadPoolExecutor(POOL_SIZE)

    def inject(self, held: HeldMessages) -> None:
        """Do it while these messages are held; afterwards they are no longer."""
        kind, process = self._fault.kind, self._fault.process
        match kind:
            case FaultKind.RESET:
                _reset(held)
            case FaultKind.STALL | FaultKind.LONG_STALL:
                self._record("fault", kind.value, "")
                _last(SHORT_STALL_SECONDS if kind is FaultKind.STALL else LONGER_THAN_EVERY_TIMEOUT_SECONDS)
                _release(held)
            case FaultKind.KILL:
                self._record("fault", f"SIGKILL {process}", process)
                self._lab.server(process).kill()
                if process == OUTSIDE:
                    # The proxy would accept connections to nobody; who calls a dead server is refused.
                    self._lab.links[outside_link(self._lab.which)].refuse()
                self._lose_messages_of_process(held)
            case FaultKind.SHUTDOWN:
                self._record("fault", "immediate shutdown of the database", process)
                self._end(signal.SIGQUIT)
                self._lose_messages_of_process(held)
            case FaultKind.TERMINATE:
                self._record("fault", f"SIGTERM {process}", "")
                # What it has begun goes on; what it has not comes too late, when it listens no more.
                self._end(signal.SIGTERM, [(seam, message) for seam, message in held if seam.name != "request"])
                _release([(seam, message) for seam, message in held if seam.name == "request"])
            case FaultKind.PAUSE:
                self._record("fault", f"SIGSTOP {process}", process)
                self._pause(process)
                _release(held)
                _last(LONGER_THAN_EVERY_TIMEOUT_SECONDS)
                self._record("heal", f"SIGCONT {process}", process)
                self._lab.server(process).resume()
            case FaultKind.POWER_CUT:
                self._record("fault", "power cut", "everything")
                self._lab.stack.kill()
                _reset(held)
            case FaultKind.READ_ONLY:
                self._record("fault", "the database refuses writes", "")
                self._set_read_only(on=True)
                _release(held)
            case FaultKind.POOL:
                self._record("fault", "all connections of the pool are in use", "")
                self._exhaust_pool()
                _release(held)

    def mend(self) -> None:
        """Undo it: everything runs, all links pass everything."""
        if self._fault.kind is FaultKind.READ_ONLY:
            self._record("heal", "the database takes writes again", "")
            self._set_read_only(on=False)
        self._lab.heal_links()
        self._fillers.shutdown()
        if not any(server.running for server in self._lab.stack.servers.values()):
            self._lab.stack.start()
            self._record("heal", "everything started again", "everything")
        for process in self._lab.processes:
            if not self._lab.server(process).running:
                self._lab.server(process).start()
                self._record("heal", f"{process} started again", process)

    def _lose_messages_of_process(self, held: HeldMessages) -> None:
        # A message that the dead process had not sent yet, or would have received, is gone with its connection.
        # One between two others, for whose end the dead one waited, goes on its way.
        for seam, message in held:
            if self._fault.process in seam.ends:
                message.reset()
            else:
                message.release()

    def _pause(self, process: str) -> None:
        """Pause the process, and wait until it stands still: on a busy machine its threads go on for a moment."""
        server = self._lab.server(process)
        server.pause()
        assert server.pid is not None
        members = tree.family(server.pid)
        until(lambda: all(map(_stands_still, members)), f"the standstill of the {process}")

    def _end(self, number: signal.Signals, meanwhile: HeldMessages = ()) -> None:
        """Ask the process to end, let these messages go, and wait until it is gone."""
        server = self._lab.server(self._fault.process)
        assert server.pid is not None
        os.kill(server.pid, number)
        _release(meanwhile)
        until(lambda: not server.running, f"the end of the {self._fault.process}")

    def _exhaust_pool(self) -> None:
        """Hold as many transactions as there are connections."""
        point = self._lab.database.hold(Sent("COMMIT", mentioning=FILLER), times=None)
        for number in range(POOL_SIZE):
            self._fillers.submit(self._lab.twin.call, "POST", json={"title": f"{FILLER} {number}"})
        for _ in range(POOL_SIZE):
            point.wait()

    def _set_read_only(self, *, on: bool) -> None:
        database = self._lab.stack.database_url(self._lab.which, SUPERUSER)
        # Allowed in a read-only transaction: it changes no data.
        execute(database, f"ALTER SYSTEM SET default_transaction_read_only = {'on' if on else 'off'}")
        execute(database, "SELECT pg_reload_conf()")


def _stands_still(member: psutil.Process) -> bool:
    """Whether a process that was sent SIGSTOP is stopped, where the system tells with each of its threads."""
    try:
        threads = [psutil.Process(thread.id) for thread in member.threads()] if psutil.LINUX else [member]
        return all(one.status() in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE) for one in threads)
    except psutil.NoSuchProcess:
        return not member.is_running()


def _reset(held: HeldMessages) -> None:
    for _, message in held:
        message.reset()


def _release(held: HeldMessages) -> None:
    for _, message in held:
        message.release()


def _last(seconds: float) -> None:
    """Let a fault last: this is how long it is, not a wait for something."""
    threading.Event().wait(seconds)
