"""A restore of only the database with its ledger, or only Restate's journal: what is lost, and what is done twice."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import restate_admin
from tests.support.outside_world import OutsideWorldClient
from tests.support.running_twin import RunningTwin, new_key, restate_twin
from tests.support.user import add, new_name
from tests.support.waiting import until
from todo_stack.database_roles import SUPERUSER
from todo_stack.output import no_log
from todo_stack.ports import Ports
from todo_stack.postgres import find_binaries
from todo_stack.stack import Stack
from todo_stack.twins import RESTATE


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a stack of its own: others are not to lose what they have."""
    return tmp_path_factory.mktemp("stack") / "data"


@pytest.fixture(scope="module")
def twin(data: Path) -> Iterator[RunningTwin]:
    """A Restate twin on it."""
    with Stack([RESTATE], data=data, ports=Ports.free(), log=no_log, with_outside_world=True) as stack:
        yield restate_twin(stack)


def database(twin: RunningTwin, program: str, *options: str) -> None:
    """Run a program of PostgreSQL on the twin's database."""
    subprocess.run(
        [find_binaries() / program, *options, "--dbname", twin.stack.database_url(RESTATE, SUPERUSER)], check=True
    )


def copy_journal(twin: RunningTwin, source: Path, target: Path) -> None:
    """Copy Restate's folder while Restate is stopped."""
    restate = twin.stack.servers["restate"]
    restate.stop()
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    restate.start()


def calls(twin: RunningTwin, handler: str, status: str = "completed") -> list[str]:
    """Return the ids of the calls of this service, or this handler, that Restate keeps, the oldest first."""
    query = "SELECT id, status, target, created_at FROM sys_invocation ORDER BY created_at"
    rows = restate_admin.query(twin.stack.ports.admin_url, query)
    return [row["id"] for row in rows if row["status"] == status and handler in row["target"]]


def restart(twin: RunningTwin, ids: list[str]) -> None:
    """Make these calls again, one after another."""
    for call in ids:
        restate_admin.order(twin.stack.ports.admin_url, call, "restart-as-new")
        assert twin.settle() == []


@pytest.mark.whole
def test_older_database(twin: RunningTwin, tmp_path: Path) -> None:
    """Under a newer journal confirmed writes are gone. Called again, todos are there once, and payments twice."""
    world = OutsideWorldClient(twin.world.url, RESTATE.key)
    name, dump = new_name("older database"), str(tmp_path / "dump")
    doomed, paid = twin.add(f"{name} 1")["id"], twin.add(f"{name} 2")["id"]
    database(twin, "pg_dump", "--format=custom", "--file", dump)
    written = add(twin, f"{name} 3", key := new_key())
    assert twin.call("DELETE", f"/{doomed}").status_code == 204
    assert twin.call("PUT", f"/{paid}/bounty", {"amount": 1250, "currency": "EUR"}).ok
    assert twin.call("POST", f"/{paid}/bounty/payment").ok
    meeting = {"start": "2031-05-06T07:00:00Z", "minutes": 30, "room": name[:40], "invite": "ada@example.org"}
    assert twin.call("POST", f"/{paid}/meeting", meeting).ok
    assert twin.settle() == []
    states = [twin.call("GET", f"/{paid}/{what}").json()["status"] for what in ("bounty/payment", "meeting")]
    assert states == ["paid", "planned"]
    database(twin, "pg_restore", "--clean", "--if-exists", "--single-transaction", dump)

    assert twin.tasks(name) == [f"{name} 1", f"{name} 2"]
    assert twin.rows("SELECT id FROM payment") == []
    # Restate knows the key, and the answer that it gave.
    again = add(twin, f"{name} 3", key)
    assert (again.outcome, again.answer) == (written.outcome, written.answer)

    restart(twin, calls(twin, "TodoService/") + calls(twin, "/set_bounty"))
    # Those that are older than the copy have their rows in its ledger.
    assert twin.tasks(name) == [f"{name} 2", f"{name} 3"]
    assert len(world.effects_for(paid, "payments")) == 1
    # A payment has its id, which is the provider's key, from its call: another call pays again. So has a
    # meeting, whose room the first one has.
    restart(twin, calls(twin, "/pay") + calls(twin, "/plan_meeting"))
    assert len(world.effects_for(paid, "payments")) == 2
    assert twin.call("GET", f"/{paid}/meeting").json()["status"] == "refused"


@pytest.mark.whole
def test_older_journal(twin: RunningTwin, data: Path, tmp_path: Path) -> None:
    """Under a newer database nothing is made twice; what was promised since is lost, and a reminder has no timer."""
    name, db = new_name("older journal"), twin.stack.servers["db"]
    reminded = f"/{twin.add(f'{name} 1')['id']}/reminder"
    db.kill()
    in_flight = add(twin, f"{name} 2")
    copy_journal(twin, data / "restate", tmp_path / "copy")
    db.start()
    assert twin.settle() == []
    add(twin, f"{name} 3", key := new_key())
    others = calls(twin, "", "scheduled")
    assert twin.call("PUT", reminded, {"in_seconds": 3600}).ok
    assert len(calls(twin, "", "scheduled")) == len(others) + 1
    db.kill()
    promised = add(twin, f"{name} 4")
    copy_journal(twin, tmp_path / "copy", data / "restate")
    db.start()
    assert twin.settle() == []

    # The ledger knows what is called again, be it by Restate or by the client.
    assert twin.call("GET", f"{twin.url}/api/operations/{in_flight.operation_id}").json()["status"] == "done"
    add(twin, f"{name} 3", key)
    assert twin.tasks(name) == [f"{name} 1", f"{name} 2", f"{name} 3"]
    assert twin.call("GET", f"{twin.url}/api/operations/{promised.operation_id}").status_code == 404
    # Nobody has the call that would send it.
    assert calls(twin, "", "scheduled") == others
    assert twin.call("GET", reminded).json()["status"] == "set"
    assert twin.call("PUT", reminded, {"in_seconds": 0}).ok
    until(lambda: twin.call("GET", reminded).json()["status"] == "sent", "it is set again, and sent")
