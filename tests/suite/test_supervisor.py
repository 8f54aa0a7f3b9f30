"""The supervisor: what dies is started again, what cannot stay up ends the stack, and servers take orders by name."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from tests.support.history import Verdict
from tests.support.running_twin import RunningTwin
from tests.support.table_lock import todos_locked, waiting_for_locks
from tests.support.up import DEADLINE_SECONDS, Up, up
from tests.support.user import add, new_name, verdict_on
from tests.support.waiting import until
from todo_stack import supervisor, tree
from todo_stack.data_folder import mark_of
from todo_stack.errors import StackError, StopRequested
from todo_stack.process import Server
from todo_stack.stack import Stack
from todo_stack.supervisor import Supervisor
from todo_stack.twins import PLAIN, RESTATE, SERVERS, TWINS, Twin

ONCE, REFUSED, NOT_APPLIED, GHOST = Verdict.EXACTLY_ONCE, Verdict.REFUSED, Verdict.NOT_APPLIED, Verdict.GHOST

EXPECTED: dict[str, dict[Twin, set[Verdict]]] = {
    # To add a todo calls nobody outside.
    "outside_world": {PLAIN: {ONCE}, RESTATE: {ONCE}},
    # The plain twin says that the database failed; Restate runs the step again.
    "db": {PLAIN: {REFUSED}, RESTATE: {ONCE}},
    # Restate calls the service again when it is back.
    "restate_app": {PLAIN: {ONCE}, RESTATE: {ONCE}},
    # The write is done after the restart; the web says so where that takes no longer than it tries.
    "restate": {PLAIN: {ONCE}, RESTATE: {ONCE, GHOST}},
    # The process that dies is the one that would have committed and answered.
    "flask-todo": {PLAIN: {NOT_APPLIED}, RESTATE: {ONCE}},
    # Restate does what it has, and nobody is left to tell the user.
    "flask-todo-restate": {PLAIN: {ONCE}, RESTATE: {GHOST}},
}
"""What a write that is in flight in each twin comes to when a server is killed."""


@dataclass
class Supervised:
    """A running stack, watched in a thread; what the supervisor said and how it ended."""

    stack: Stack
    lines: list[str] = field(default_factory=list)
    ends: list[Exception] = field(default_factory=list)
    cancelled: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Watch until it is cancelled or gives up."""
        try:
            Supervisor(self.stack, lambda _name, line: self.lines.append(line), self.cancelled).run()
        except (StackError, StopRequested) as end:
            self.ends.append(end)

    def order(self, verb: str, *what: str) -> tuple[int, str]:
        """Give an order as from another terminal; return the exit code and what was printed."""
        command = [sys.executable, "-m", "todo_stack", verb, *what, "--data", str(self.stack.data)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False)
        return done.returncode, (done.stdout + done.stderr).removesuffix("\n")


@pytest.fixture
def supervised(native_stack: Stack) -> Iterator[Supervised]:
    """The stack of the suite under supervision, until the end of the test."""
    supervised = Supervised(native_stack)
    thread = threading.Thread(target=supervised.run, name="supervisor")
    thread.start()
    until(lambda: (native_stack.data / "orders").exists(), "the supervisor takes orders")
    yield supervised
    supervised.cancelled.set()
    thread.join()


def kill_process(server: Server) -> int:
    """Kill the first process of a server alone, as `kill -9` does, and return the number that it had."""
    pid = server.pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    return pid


@pytest.mark.parametrize("name", SERVERS)
def test_killed_while_a_write_is_in_flight(supervised: Supervised, name: str) -> None:
    """A killed server is back with nothing left of it, the others stay, and the write comes to what the table says."""
    stack, server = supervised.stack, supervised.stack.servers[name]
    twins, urls = [RunningTwin(which, stack) for which in TWINS], [stack.database_url(which) for which in TWINS]
    others = {other.name: other.pid for other in stack.servers.values() if other is not server}
    with ThreadPoolExecutor(2) as clients:
        with todos_locked(urls[0]), todos_locked(urls[1]):
            adding = [clients.submit(add, twin, new_name("in flight")) for twin in twins]
            until(lambda: all(map(waiting_for_locks, urls)), "both writes are in flight")
            members = tree.family(server.pid or 0)
            pid = kill_process(server)
            until(lambda: all(map(tree.is_dead, members)), f"nothing is left of {name}")
        until(lambda: server.pid != pid and server.healthy, f"{name} is back")
        operations = [operation.result() for operation in adding]

    for twin, operation in zip(twins, operations, strict=True):
        assert verdict_on(twin, operation) in EXPECTED[name][twin.which]
    assert {other: stack.servers[other].pid for other in others} == others
    until(lambda: len(supervised.lines) > 1, "the supervisor says that it is healthy")
    assert supervised.lines == [
        f"{name} (process {pid}) ended: killed by SIGKILL. It is started again in 0.5 s",
        f"{name} (process {server.pid}) is healthy again",
    ]


@pytest.mark.whole
def test_frozen_server_is_not_dead(supervised: Supervised) -> None:
    """A server that hangs is left alone; one that is killed while it and its workers hang is started again."""
    server = supervised.stack.servers["db"]
    pid = server.pid
    frozen = (0, f"db (process {pid}) is frozen, and stays so until make start WHAT=db")
    assert supervised.order("pause", "db") == frozen
    assert psutil.Process(pid).status() == psutil.STATUS_STOPPED
    assert supervised.order("start", "db") == (0, f"db (process {pid}) is healthy")
    assert psutil.Process(pid).status() != psutil.STATUS_STOPPED
    assert supervised.order("pause", "db") == frozen
    # What the supervisor does for another one shows that it has looked at this one, too.
    assert supervised.order("kill", "flask-todo")[0] == 0
    assert supervised.order("kill", "restate_app")[0] == 0
    assert (server.running, server.pid) == (True, pid)
    # Its children are still frozen, and hold the shared memory that the next one needs.
    kill_process(server)
    until(lambda: server.pid != pid and server.healthy, "the database is back")


def test_cannot_stay_up(supervised: Supervised, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that ends again and again at once ends the stack, which says which one, how, and its last words."""
    monkeypatch.setattr(supervisor, "LONGEST_PAUSE_SECONDS", 0.1)
    server = supervised.stack.servers["flask-todo"]
    monkeypatch.setitem(server.env, "PORT", "nonsense")
    kill_process(server)
    until(lambda: supervised.ends, "the supervisor gives up")
    assert "flask-todo ended 5 times in a row soon after its start (exit code " in str(supervised.ends[0])
    assert "PORT" in str(supervised.ends[0])
    assert supervised.lines[-1] == "flask-todo cannot stay up: everything is stopped"


def test_orders_by_name(supervised: Supervised) -> None:
    """A server is killed, stopped and started by its name; each order returns when it is carried out."""
    server = supervised.stack.servers["restate_app"]
    is_killed = f"restate_app (process {server.pid}) is killed, and is started again"
    assert supervised.order("kill", "restate_app") == (0, is_killed)
    # It may not be healthy yet: stopped all the same, and no start is pending afterwards.
    until(lambda: server.running, "restate_app is started again")
    stopped = server.pid
    stays = "and stays so until make start WHAT=restate_app"
    assert supervised.order("stop", "restate_app") == (0, f"restate_app (process {stopped}) is stopped, {stays}")
    assert supervised.order("stop", "restate_app") == (0, f"restate_app does not run, {stays}")
    does_not_run = "Error: restate_app does not run: make start WHAT=restate_app"
    assert supervised.order("kill", "restate_app") == (1, does_not_run)
    assert not server.running
    for _ in range(2):
        code, answer = supervised.order("start", "restate_app")
        assert (code, answer) == (0, f"restate_app (process {server.pid}) is healthy")
        assert server.healthy


def test_stopped_while_it_is_to_be_started_again(supervised: Supervised, monkeypatch: pytest.MonkeyPatch) -> None:
    """An order to stop counts, too, in the pause before a start; an order to start does not wait for its end."""
    monkeypatch.setattr(supervisor, "FIRST_PAUSE_SECONDS", 3600.0)
    server = supervised.stack.servers["flask-todo"]
    assert supervised.order("kill", "flask-todo")[0] == 0
    assert supervised.order("stop", "flask-todo")[0] == 0
    assert supervised.order("start", "flask-todo") == (0, f"flask-todo (process {server.pid}) is healthy")
    kill_process(server)
    until(lambda: supervised.lines[-1].endswith("3600 s"), "the supervisor has seen it")
    assert supervised.order("start", "flask-todo") == (0, f"flask-todo (process {server.pid}) is healthy")


def test_orders_that_name_nothing(supervised: Supervised) -> None:
    """An order without a name, or with an unknown one, is answered with a line that lists the names."""
    names = f"it is one of {', '.join(SERVERS)}"
    assert supervised.order("start") == (1, f"Error: WHAT is missing: {names}")
    nonsense = f"Error: there is no server 'nonsense' in this stack: {names}"
    assert supervised.order("start", "nonsense") == (1, nonsense)


@pytest.fixture
def up_plain(tmp_path: Path) -> Iterator[Up]:
    """`up plain` in a process of its own."""
    with up("plain", tmp_path) as running:
        yield running


@pytest.mark.parametrize(
    ("number", "moment"), [(signal.SIGINT, "It is started again in"), (signal.SIGTERM, "Starting gunicorn")]
)
def test_stop_during_a_restart(up_plain: Up, number: int, moment: str) -> None:
    """A stop in the pause before a restart, or during it, ends everything in order and leaves no process."""
    process, log, mark = up_plain.process, up_plain.log, mark_of(up_plain.data).items()

    def left() -> list[psutil.Process]:
        return tree.find(lambda one: mark <= one.environ().items())

    assert left()
    web = next(one for one in tree.family(process.pid) if "flask_todo.app:create_app()" in one.cmdline())
    before = len(log.read_text())
    web.kill()
    until(lambda: moment in log.read_text()[before:], f"{moment!r} in the log")
    process.send_signal(number)
    assert process.wait(DEADLINE_SECONDS) == 0, log.read_text()
    assert log.read_text().endswith("stopped\n")
    assert left() == []
    assert not (up_plain.data / "orders").exists()
