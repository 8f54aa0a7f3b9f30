"""What a killed server does to operations, in numbers: the same bursts and the same faults for both twins.

The plain twin loses nothing that it confirmed, as it confirms after COMMIT; the difference is in what its users are
told, and what they have to do again. The Restate twin loses nothing, duplicates nothing, and has nothing that is stuck.
"""

import contextlib
from collections import Counter
from collections.abc import Callable

import pytest

from tests.support import burst
from tests.support.history import Outcome, Verdict
from tests.support.running_twin import RunningServer, RunningStack, RunningTwin
from tests.support.table_lock import todos_locked, waiting_for_locks
from tests.support.waiting import until
from todo_stack.twins import PLAIN, RESTATE

OF_EACH_KIND = 8
"""So many adds, updates and deletes."""

ONCE, REFUSED, NOT_APPLIED, GHOST = Verdict.EXACTLY_ONCE, Verdict.REFUSED, Verdict.NOT_APPLIED, Verdict.GHOST

KILLED: dict[str, Callable[[RunningTwin], RunningServer | RunningStack]] = {
    "database": lambda twin: twin.stack.servers["db"],
    "writing process": lambda twin: twin.writer,
    "web application": lambda twin: twin.web,
    "Restate server": lambda twin: twin.stack.servers["restate"],
    "all servers": lambda twin: twin.stack,
}

EXPECTED = {
    # What those operations come to that are in flight when a server is killed, and those after it.
    "database": {
        PLAIN: (REFUSED, REFUSED),  # Nothing can be written, and nobody would do it later.
        RESTATE: (ONCE, ONCE),  # Restate has the calls, and repeats the step until it succeeds.
    },
    "writing process": {
        PLAIN: (NOT_APPLIED, REFUSED),  # The process that dies is the one that would have answered.
        RESTATE: (ONCE, ONCE),  # Restate calls the service again when it is back.
    },
    "web application": {
        PLAIN: (NOT_APPLIED, REFUSED),
        RESTATE: (GHOST, REFUSED),  # Restate does what it has, and nobody is left to tell the client.
    },
    "Restate server": {
        PLAIN: (ONCE, ONCE),  # It has none.
        RESTATE: (GHOST, REFUSED),  # The web promises nothing that it cannot hand over, and cannot know that it did.
    },
    "all servers": {
        PLAIN: (NOT_APPLIED, REFUSED),
        RESTATE: (GHOST, REFUSED),  # What Restate had is done after the start, though nobody asks again.
    },
}


@pytest.mark.parametrize("what", KILLED)
def test_killed_while_writes_are_in_flight(twin: RunningTwin, what: str) -> None:
    """What was done before is there once; what was in flight, and what came later, is as the table has it."""
    killed, database_url = KILLED[what](twin), twin.stack.database_url(twin.which)
    in_flight, later = EXPECTED[what][twin.which]
    work = burst.mixed(twin, OF_EACH_KIND)
    first, second, rest = work.clients, 2 * work.clients, 3 * OF_EACH_KIND - 2 * work.clients
    work.part(0, first).run()

    def kill() -> None:
        until(lambda: waiting_for_locks(database_url) == work.clients, "all clients wait for the database")
        killed.kill()
        lock.close()

    with contextlib.ExitStack() as lock:
        lock.enter_context(todos_locked(database_url))
        work.part(first, second).run(kill, at=0)
    work.part(second).run()
    killed.start()

    assert work.verdicts() == Counter({ONCE: first}) + Counter({in_flight: work.clients}) + Counter({later: rest})


def test_power_cut_while_promises_are_open(twin: RunningTwin) -> None:
    """What was promised while the database was down is done after a power cut, though nobody asks again."""
    outcome, verdict = {
        PLAIN: (Outcome.FAIL, Verdict.REFUSED),  # It promises nothing.
        RESTATE: (Outcome.PENDING, Verdict.EXACTLY_ONCE),  # The promise is on Restate's disk.
    }[twin.which]
    work = burst.adds(twin, 10)
    twin.stack.servers["db"].kill()
    work.run()
    twin.stack.kill()
    twin.stack.start()

    assert work.verdicts() == {verdict: 10}
    assert {operation.outcome for operation in work.operations} == {outcome}


def test_five_users_add_two_hundred(twin: RunningTwin) -> None:
    """Five parallel users add 200 todos: 200 rows, each of them once."""
    work = burst.adds(twin, 200)
    work.clients = 5
    work.run()
    assert work.verdicts() == {Verdict.EXACTLY_ONCE: 200}
