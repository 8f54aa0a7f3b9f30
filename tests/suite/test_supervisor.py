"""The supervisor: what dies is started again, what cannot stay up ends the stack, and servers take orders by name."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import psycopg2
import pytest

from tests.scenarios.stage import add, came_to
from tests.scenarios.stage import name as task
from tests.support.history import Verdict
from tests.support.running_twin import RunningTwin
from tests.support.waiting import until
from todo_stack import tree, watched
from todo_stack.errors import StackError, StopRequested
from todo_stack.ports import Ports
from todo_stack.process import Server
from todo_stack.stack import Stack
from todo_stack.supervisor import Supervisor
from todo_stack.twins import SERVERS, TWINS

DEADLINE_SECONDS = 60.0
HONEST = {Verdict.EXACTLY_ONCE, Verdict.REFUSED, Verdict.NOT_APPLIED, Verdict.GHOST}


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
def supervised(stack: Stack) -> Iterator[Supervised]:
    """The stack of the suite under supervision, until the end of the test."""
    if not isinstance(stack, Stack):
        pytest.skip("containers are started again by their engine")
    supervised = Supervised(stack)
    thread = threading.Thread(target=supervised.run, name="supervisor")
    thread.start()
    until(lambda: (stack.data / "orders" / "supervisor").exists(), "the supervisor takes orders")
    yield supervised
    supervised.cancelled.set()
    thread.join()


@contextlib.contextmanager
def table_locked(twin: RunningTwin) -> Iterator[None]:
    """Lock the table of todos, so that a write waits inside its statement."""
    with contextlib.closing(psycopg2.connect(twin.stack.database_url(twin.which))) as connection:
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE todo IN ACCESS EXCLUSIVE MODE")
        yield


def waits_for_the_table(twin: RunningTwin) -> bool:
    """Say whether a statement waits for the lock."""
    return bool(twin.rows("SELECT pid FROM pg_locks WHERE NOT granted AND relation = 'todo'::regclass"))


def kill_process(server: Server) -> int:
    """Kill the first process of a server alone, as `kill -9` does, and return the number that it had."""
    pid = server.pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    return pid


@pytest.mark.parametrize("name", SERVERS)
def test_killed_while_a_write_is_in_flight(supervised: Supervised, name: str) -> None:
    """Whichever server is killed in the middle of a write: it is back, and the write is done once in the Restate twin.

    The plain twin's client is told what is true, or nothing. Nothing of the killed server is left.
    """
    plain, durable = (RunningTwin(which, supervised.stack) for which in TWINS)
    server = supervised.stack.servers[name]
    others = {other.name: other.pid for other in supervised.stack.servers.values() if other is not server}
    with ThreadPoolExecutor(2) as clients:
        with table_locked(plain), table_locked(durable):
            adding = [clients.submit(add, twin, task("in flight")) for twin in (plain, durable)]
            until(lambda: waits_for_the_table(plain) and waits_for_the_table(durable), "both writes are in flight")
            members = tree.family(server.pid or 0)
            pid = kill_process(server)
            until(lambda: server.pid != pid or not server.running, f"{name} is dead")
        until(lambda: server.pid != pid and server.healthy, f"{name} is back")
        operations = [one.result() for one in adding]

    assert came_to(durable, operations[1]) in (Verdict.EXACTLY_ONCE, Verdict.GHOST)
    assert operations[1].effect == 1
    assert came_to(plain, operations[0]) in (HONEST if name in ("db", "flask-todo") else {Verdict.EXACTLY_ONCE})
    assert {other: supervised.stack.servers[other].pid for other in others} == others
    assert not [member for member in members if not tree.is_dead(member)]
    until(lambda: len(supervised.lines) > 1, "the supervisor says that it is healthy")
    assert supervised.lines == [
        f"{name} (process {pid}) ended: killed by SIGKILL. It is started again in 0.5 s",
        f"{name} (process {server.pid}) is healthy again",
    ]


def test_frozen_server_is_not_dead(supervised: Supervised) -> None:
    """A server that hangs is left alone; one that is killed while it and its workers hang is started again."""
    server = supervised.stack.servers["db"]
    pid = server.pid
    server.pause()
    # What the supervisor does for another one shows that it has looked at this one, too.
    assert supervised.order("kill", "flask-todo")[0] == 0
    assert supervised.order("kill", "restate_app")[0] == 0
    assert (server.running, server.pid) == (True, pid)
    # Its children are still frozen, and hold the shared memory that the next one needs.
    kill_process(server)
    until(lambda: server.pid != pid and server.healthy, "the database is back")


def test_cannot_stay_up(supervised: Supervised, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that ends again and again at once ends the stack, which says which one, how, and its last words."""
    monkeypatch.setattr(watched, "LONGEST_PAUSE_SECONDS", 0.1)
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
    killed = server.pid
    assert supervised.order("kill", "restate_app") == (
        0,
        f"restate_app (process {killed}) is killed, and is started again",
    )
    assert killed
    assert server.pid != killed
    # It may not be healthy yet: stopped all the same, and no start is pending afterwards.
    until(lambda: server.running, "restate_app is started again")
    stopped = server.pid
    stays = "and stays so until make start WHAT=restate_app"
    assert supervised.order("stop", "restate_app") == (0, f"restate_app (process {stopped}) is stopped, {stays}")
    assert supervised.order("stop", "restate_app") == (0, f"restate_app does not run, {stays}")
    assert supervised.order("kill", "restate_app") == (
        1,
        "Error: restate_app does not run: make start WHAT=restate_app",
    )
    assert not server.running
    for _ in range(2):
        code, answer = supervised.order("start", "restate_app")
        assert (code, answer) == (0, f"restate_app (process {server.pid}) is healthy")
        assert server.healthy


def test_stopped_while_it_is_to_be_started_again(supervised: Supervised, monkeypatch: pytest.MonkeyPatch) -> None:
    """An order to stop counts, too, in the pause before a start; an order to start does not wait for its end."""
    monkeypatch.setattr(watched, "FIRST_PAUSE_SECONDS", 3600.0)
    server = supervised.stack.servers["flask-todo"]
    assert supervised.order("kill", "flask-todo")[0] == 0
    assert supervised.order("stop", "flask-todo")[0] == 0
    assert supervised.order("start", "flask-todo") == (0, f"flask-todo (process {server.pid}) is healthy")
    kill_process(server)
    until(lambda: supervised.lines[-1].endswith("3600 s"), "the supervisor has seen it")
    assert supervised.order("start", "flask-todo") == (0, f"flask-todo (process {server.pid}) is healthy")


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ([], "Error: WHAT is missing: it is one of {}"),
        (["nonsense"], "Error: there is no server 'nonsense' in this stack: it is one of {}"),
    ],
)
def test_orders_that_name_nothing(supervised: Supervised, what: list[str], line: str) -> None:
    """An order without a name, or with one that is none, is answered with a line that has the names."""
    assert supervised.order("start", *what) == (1, line.format(", ".join(SERVERS)))


def test_make(repository: Path) -> None:
    """`make kill`, `make stop` and `make start` give these orders."""
    for verb in ("kill", "stop", "start"):
        command = ["/usr/bin/env", "make", "-n", verb, "WHAT=db"]
        shown = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True)
        assert f"-m todo_stack {verb} 'db'" in shown.stdout


@pytest.fixture
def up(tmp_path: Path) -> Iterator[tuple["subprocess.Popen[bytes]", Path, str]]:
    """`up plain` in a process of its own; its log, and the mark that all its processes have in their environment."""
    ports, mark, log = Ports.free(), uuid4().hex, tmp_path / "log"
    env = {
        **os.environ,
        "FLASK_TODO_PORT": str(ports.flask_todo),
        "POSTGRES_PORT": str(ports.postgres),
        "TEST_MARK": mark,
    }
    env.pop("DATABASE_URL", None)
    command = [sys.executable, "-m", "todo_stack", "up", "plain", "--data", str(tmp_path / "data")]
    with log.open("wb") as output, subprocess.Popen(command, env=env, stdout=output, stderr=output) as process:
        try:
            until(lambda: "Ctrl-C stops everything" in log.read_text(), "the stack is up")
            yield process, log, mark
        finally:
            process.terminate()
            process.wait(DEADLINE_SECONDS)


@pytest.mark.parametrize(
    ("number", "moment"),
    [(signal.SIGINT, "It is started again in"), (signal.SIGTERM, "Starting gunicorn")],
)
def test_stop_during_a_restart(up: tuple["subprocess.Popen[bytes]", Path, str], number: int, moment: str) -> None:
    """A stop in the pause before a restart, or during it, ends everything in order and leaves no process."""
    process, log, mark = up
    web = next(one for one in tree.family(process.pid) if "gunicorn" in one.cmdline())
    before = len(log.read_text())
    web.kill()
    until(lambda: moment in log.read_text()[before:], f"{moment!r} in the log")
    process.send_signal(number)
    assert process.wait(DEADLINE_SECONDS) == 0, log.read_text()
    assert log.read_text().endswith("stopped\n")
    assert tree.find(lambda one: one.environ().get("TEST_MARK") == mark) == []
    assert not (log.parent / "data" / "orders").exists()
