"""What outages do to operations, in numbers: the same bursts and the same faults for both twins.

In every run the Restate twin has nothing lost, nothing duplicated, nothing stuck. The plain twin loses nothing that it
confirmed either, as it confirms after COMMIT; the difference is in what its users are told, and what is left to them.
"""

import threading
from collections import Counter

from tests.support import burst
from tests.support.history import Outcome, Verdict
from tests.support.running_twin import RunningServer, RunningTwin

BURST = 100
OUTAGE_SECONDS = 5.0


def lasting(seconds: float) -> None:
    """Let a fault last: this is how long it is, not a wait for something."""
    threading.Event().wait(seconds)


def never(verdicts: Counter[Verdict]) -> None:
    """Assert that none of the three things happened that must never happen."""
    assert {v: verdicts[v] for v in (Verdict.LOST, Verdict.DUPLICATED, Verdict.STUCK)} == {
        Verdict.LOST: 0,
        Verdict.DUPLICATED: 0,
        Verdict.STUCK: 0,
    }


def kill_and_restart(*servers: RunningServer) -> None:
    """Kill servers with SIGKILL, all before the first is started again."""
    for server in servers:
        server.kill()
    for server in servers:
        server.start()


def test_database_away_for_five_seconds(twin: RunningTwin) -> None:
    """While the database is away the plain twin refuses writes; the Restate twin accepts them and applies each once."""
    work = burst.mixed(twin, BURST // 3)
    database = twin.stack.servers["db"]

    def outage() -> None:
        database.kill()
        lasting(OUTAGE_SECONDS)
        database.start()

    work.run(outage, at=0.2)

    verdicts = work.verdicts("database away for 5 s", minimum_ok=BURST // 10)
    never(verdicts)
    if twin.which.durable:
        # Nobody is refused and nobody is left in doubt: what is not done within the write budget is pending.
        assert verdicts == {Verdict.EXACTLY_ONCE: len(work.operations)}
    else:
        # Nothing can be written, and there is nobody to do it later.
        assert verdicts[Verdict.REFUSED] > 0


def test_writing_process_killed(twin: RunningTwin) -> None:
    """Kill the process that writes: the plain twin's users get no answer; those of the Restate twin notice nothing."""
    work = burst.adds(twin, BURST)
    work.run(lambda: kill_and_restart(twin.writer))

    verdicts = work.verdicts("writing process killed", minimum_ok=BURST // 4)
    never(verdicts)
    if twin.which.durable:
        # The calls are in Restate, which calls the service again when it is back.
        assert verdicts == {Verdict.EXACTLY_ONCE: BURST}
    else:
        # The process that dies is the one that would have answered.
        assert verdicts[Verdict.REFUSED] + verdicts[Verdict.NOT_APPLIED] + verdicts[Verdict.GHOST] > 0


def test_web_killed(twin: RunningTwin) -> None:
    """Kill the web application: in both twins its users get no answer, and do not know whether it was done."""
    work = burst.adds(twin, BURST)
    work.run(lambda: kill_and_restart(twin.web))

    verdicts = work.verdicts("web application killed", minimum_ok=BURST // 4)
    never(verdicts)
    # Durability begins behind the web application: it cannot answer for the one that died.
    assert verdicts[Verdict.REFUSED] + verdicts[Verdict.NOT_APPLIED] + verdicts[Verdict.GHOST] > 0


def test_restate_server_killed(twin: RunningTwin) -> None:
    """Kill the Restate server: the plain twin has none to miss; what the other accepted is done after the restart."""
    work = burst.adds(twin, BURST)
    work.run(lambda: kill_and_restart(twin.stack.servers["restate"]))

    verdicts = work.verdicts("Restate server killed", minimum_ok=BURST // 4)
    never(verdicts)
    if not twin.which.durable:
        assert verdicts == {Verdict.EXACTLY_ONCE: BURST}


def test_power_cut(twin: RunningTwin) -> None:
    """Kill everything at once and start it again: what was confirmed or promised is there once, nobody resubmits."""
    work = burst.adds(twin, BURST)

    def power_cut() -> None:
        twin.stack.kill()
        twin.stack.start()

    work.run(power_cut)

    verdicts = work.verdicts("power cut", minimum_ok=BURST // 4)
    never(verdicts)
    # Both leave users without an answer, and some of their operations applied: nobody is left to tell them.
    assert verdicts[Verdict.REFUSED] + verdicts[Verdict.NOT_APPLIED] + verdicts[Verdict.GHOST] > 0


def test_power_cut_while_promises_are_open(twin: RunningTwin) -> None:
    """What was promised while the database was away is done after a power cut, though nobody asks again."""
    work = burst.adds(twin, 10)
    twin.stack.servers["db"].kill()
    work.run()
    twin.stack.kill()
    twin.stack.start()

    verdicts = work.verdicts("power cut, promises open", minimum_ok=10 if twin.which.durable else 0)
    # The plain twin promises nothing.
    assert verdicts == {Verdict.EXACTLY_ONCE if twin.which.durable else Verdict.REFUSED: 10}
    if twin.which.durable:
        assert {operation.outcome for operation in work.operations} == {Outcome.PENDING}


def test_five_users_add_two_hundred(twin: RunningTwin) -> None:
    """Five parallel users add 200 todos: 200 rows, each of them once."""
    work = burst.adds(twin, 200)
    work.clients = 5
    work.run()
    assert work.verdicts("five users, no fault", minimum_ok=200) == {Verdict.EXACTLY_ONCE: 200}
