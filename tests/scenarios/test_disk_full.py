"""What happens when a disk is full?

No server is told to expect it, and each does something else: PostgreSQL refuses the statement that needs one more page
of a table, and dies of one that needs one more file of its log. Restate's partitions stop. Each twin says no more than
it knows, and nothing that it said is untrue when there is room again.
"""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psycopg2
import pytest
import requests

from tests.faultlab.laboratory import Laboratory
from tests.scenarios.changed import SmallDisk, on_small_disk
from tests.scenarios.conftest import only_restate
from tests.support.database import execute
from tests.support.history import ClientOperation, Outcome, Verdict
from tests.support.user import add, new_name, verdict_on
from tests.support.waiting import until
from todo_stack.database_roles import SUPERUSER
from todo_stack.twins import PLAIN, RESTATE

LONG = 190
"""Letters of a task: some forty of them fill a page of PostgreSQL."""
PAYLOAD_BYTES = 1_000_000
"""A dozen are more than Restate keeps in memory and in the files that it has."""

USE_UP_A_FILE = "SELECT pg_logical_emit_message(true, '', ''), pg_switch_wal()"
"""Writes to the database's log, and ends its file."""

EXPECTED = {
    # It refuses what it cannot write.
    PLAIN: (Outcome.FAIL, Verdict.REFUSED),
    # Restate has a disk of its own, and runs the step again until there is room.
    RESTATE: (Outcome.PENDING, Verdict.EXACTLY_ONCE),
}
"""What is told of an add that the database had no room for, and what it comes to."""

Disks = Callable[[str, str], SmallDisk]


@pytest.fixture
def disk_of(lab: Laboratory, tmp_path: Path) -> Iterator[Disks]:
    """What gives a server of the laboratory, with this data folder, a small disk for the time of a test."""
    with contextlib.ExitStack() as disks:

        def disk_of(server: str, folder: str) -> SmallDisk:
            small = on_small_disk(lab.stack.servers[server], lab.stack.data / folder, tmp_path / "disk")
            return disks.enter_context(small)

        yield disk_of


def test_table_cannot_grow(lab: Laboratory, disk_of: Disks) -> None:
    """An add is refused by the plain twin and promised by the other; with room again nothing has to be restarted."""
    disk, _ = disk_of("db", "postgres"), add(lab.twin, new_name("bread"))
    disk.fill()
    until(lambda: not has_room(lab), "no page of the table has room left")
    added = add(lab.twin, new_name("milk").ljust(LONG, "x"))
    disk.free()
    afterwards = add(lab.twin, new_name("bread"))

    assert (added.outcome, verdict_on(lab.twin, added)) == EXPECTED[lab.which]
    assert verdict_on(lab.twin, afterwards) is Verdict.EXACTLY_ONCE


def has_room(lab: Laboratory) -> bool:
    """Whether the table takes one more row, which it then has."""
    with contextlib.suppress(psycopg2.errors.DiskFull):
        lab.twin.rows("INSERT INTO todo (task) VALUES (%s) RETURNING id", "x" * LONG)
        return True
    return False


def dies_of(lab: Laboratory, statement: str) -> bool:
    """Run a statement as the superuser; return whether that ended the database."""
    try:
        execute(lab.stack.database_url(lab.which, SUPERUSER), statement)
    except psycopg2.OperationalError:
        return True
    return False


def test_database_log_cannot_grow(lab: Laboratory, disk_of: Disks) -> None:
    """PostgreSQL dies of it, and stays in its recovery until it is restarted with room; what was there is there."""
    disk, before = disk_of("db", "postgres"), add(lab.twin, new_name("bread"))
    database = lab.stack.servers["db"]
    disk.fill()
    # It may have kept some files for later; when these are used up, it needs a new one.
    until(lambda: dies_of(lab, USE_UP_A_FILE), "the database has no file left")
    added = add(lab.twin, new_name("milk"))
    disk.free()
    with pytest.raises(psycopg2.OperationalError):
        lab.twin.rows("SELECT")
    database.kill()
    database.start()

    assert verdict_on(lab.twin, before) is Verdict.EXACTLY_ONCE
    assert (added.outcome, verdict_on(lab.twin, added)) == EXPECTED[lab.which]


@only_restate
def test_disk_of_restate(lab: Laboratory, disk_of: Disks) -> None:
    """A write is refused, and added once when it is submitted again with room and a restart; what was done is known."""
    restate, done = lab.stack.servers["restate"], add(lab.twin, new_name("bread"))
    disk = disk_of("restate", "restate")

    def is_full() -> bool:
        # Restate may just have merged files, and given back more than it is sent here.
        disk.fill()
        # A large call may only have taken too long.
        return not accepts(lab, PAYLOAD_BYTES) and not accepts(lab, 1)

    until(is_full, "Restate has no room left")
    refused = add(lab.twin, new_name("milk"))
    disk.free()
    # By itself it would try again, seconds to half a minute later.
    restate.kill()
    restate.start()

    assert (refused.detail, verdict_on(lab.twin, refused)) == ("503", Verdict.REFUSED)
    for operation in (done, refused):
        until(partial(answered, lab, operation), "Restate answers again")
        assert lab.twin.tasks(operation.marker) == [operation.marker]


def answered(lab: Laboratory, operation: ClientOperation) -> bool:
    """Submit an add again; whether that worked."""
    return add(lab.twin, operation.marker, operation.key).outcome is Outcome.OK


def accepts(lab: Laboratory, size: int) -> bool:
    """Whether Restate takes a call of that many bytes, which the handler will refuse."""
    url, call = f"{lab.stack.ports.ingress_url}/restate/send/TodoService/add_todo", {"task": "x" * size}
    with contextlib.suppress(requests.RequestException):
        return requests.post(url, json=call, timeout=1).ok
    return False
