"""An outage is a line of the log when it begins, at most one a minute, and one when it ends, with the count."""

import logging
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.support.history import Outcome
from tests.support.logs import printed
from tests.support.running_twin import RunningTwin, restate_twin
from tests.support.user import add, new_name
from tests.support.waiting import until
from todo_shared import outages
from todo_shared.outages import Outage
from todo_stack.stack import Stack
from todo_stack.twins import TWINS

ATTEMPTS = 6
"""So often Restate tries each call, and each web application meets the outage, at least."""

BEGINS = r"the database fails \(failed attempts: 1\): .+"
ENDS = r"the database works again \(failed attempts: (\d+)\)"


class Clock:
    """A clock that stands until it is set forward."""

    def __init__(self) -> None:
        """Begin anywhere."""
        self.now = 1000.0

    def monotonic(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Clock:
    """The clock of outages; their lines are in caplog."""
    clock = Clock()
    monkeypatch.setattr(outages, "time", clock)
    caplog.set_level(logging.WARNING)
    return clock


def test_three_lines(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """An outage of two minutes, with two failures a second, is four lines: the counts are right."""
    outage = Outage("it")
    for _ in range(241):
        outage.failed("a reason\nand more of it")
        clock.now += 0.5
    for _ in range(3):
        outage.ended()
    assert caplog.messages == [
        "it fails (failed attempts: 1): a reason",
        "it fails (failed attempts: 121): a reason",
        "it fails (failed attempts: 241): a reason",
        "it works again (failed attempts: 241)",
    ]
    clock.now += outages.CALM_SECONDS
    outage.failed("another")
    assert caplog.messages[-1] == "it fails (failed attempts: 1): another"


def test_now_and_then(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """What fails and works in turn is a line a minute, and one when it has worked for a while; all failures count."""
    outage = Outage("it")
    for _ in range(120):
        outage.failed("a reason")
        outage.ended()
        clock.now += 1
    clock.now += outages.CALM_SECONDS
    outage.ended()
    assert caplog.messages == [
        "it fails (failed attempts: 1): a reason",
        "it works again (failed attempts: 1)",
        "it fails (failed attempts: 60): a reason",
        "it works again (failed attempts: 119)",
    ]


def test_watched(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """Of what is watched the errors that are named count, with their cause; others say nothing."""
    del clock
    outage = Outage("it")
    with pytest.raises(OSError, match="outer"), outage.watched(OSError):
        raise OSError("outer") from ValueError("cause")
    with pytest.raises(KeyError), outage.watched(OSError):
        raise KeyError
    assert caplog.messages == ["it fails (failed attempts: 1): cause"]
    with outage.watched(OSError):
        pass
    assert caplog.messages[1:] == ["it works again (failed attempts: 1)"]


def restarted(twin: RunningTwin) -> RunningTwin:
    """Start a twin's processes again, so that they know of no earlier outage."""
    for server in {twin.writer.name: twin.writer, twin.web.name: twin.web}.values():
        server.stop()
        server.start()
    return twin


@pytest.mark.whole
def test_outage_of_the_database(native_stack: Stack) -> None:
    """However many attempts an outage has, each process has two lines of it, and the Restate server none."""
    plain, restate = twins = [restarted(RunningTwin(which, native_stack)) for which in TWINS]
    database, before = native_stack.servers["db"], sum(map(len, printed(native_stack.data).values()))
    database.stop()
    with ThreadPoolExecutor(2 * ATTEMPTS) as pool:
        work = [pool.submit(add, twin, new_name("during")) for twin in twins for _ in range(ATTEMPTS)]
        checks = [pool.submit(requests.get, f"{twin.url}/readyz") for twin in twins for _ in range(ATTEMPTS)]
    assert {done.result().outcome for done in work} == {Outcome.FAIL, Outcome.PENDING}
    assert Counter(done.result().status_code for done in checks) == {503: ATTEMPTS, 200: ATTEMPTS}
    until(lambda: all(call["retry_count"] > ATTEMPTS for call in restate.unfinished()), "Restate has tried often")
    database.start()
    assert restate.settle() == []
    for twin in twins:
        twin.add(new_name("after"))
        assert twin.call("GET").status_code == 200

    def told() -> list[list[str]]:
        lines = printed(native_stack.data, before)
        return [[line for line in lines[server.name] if "the database" in line] for server in processes]

    processes = (plain.web, restate.web, restate.writer)
    until(lambda: all(len(lines) > 1 for lines in told()), "each process has said that the outage is over")
    for begins, ends in told():
        assert re.search(BEGINS, begins)
        assert (end := re.search(ENDS, ends))
        assert int(end[1]) >= ATTEMPTS
    assert "restate" not in printed(native_stack.data, before)


@pytest.mark.whole
def test_outage_of_the_service(native_stack: Stack) -> None:
    """While the service is away the Restate server says nothing for each attempt; the web says that writes are late."""
    twin = restarted(restate_twin(native_stack))
    before = sum(map(len, printed(native_stack.data).values()))
    twin.writer.kill()
    assert add(twin, new_name("late")).outcome is Outcome.PENDING
    until(lambda: twin.unfinished()[0]["retry_count"] > ATTEMPTS, "Restate has tried often")
    twin.writer.start()
    assert twin.settle() == []
    twin.add(new_name("after"))

    def told() -> list[str]:
        return [line for line in printed(native_stack.data, before)[twin.web.name] if "the TodoService" in line]

    until(lambda: len(told()) > 1, "the web has said that writes are in time again")
    begins, ends = told()
    assert "the TodoService fails (failed attempts: 1): add_todo takes longer than 2 s" in begins
    assert "the TodoService works again (failed attempts: 1)" in ends
    assert "restate" not in printed(native_stack.data, before)
