"""What can be done to a message that was stopped, and what its sender and its receiver see of it."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable

import psycopg2
import pytest

from tests.faultlab.wire.breakpoints import Held
from tests.faultlab.wire.clients import DEADLINE, Notes, still_waits
from tests.faultlab.wire.events import EventKind
from tests.faultlab.wire.messages import Answer, Sent, Side
from tests.support.database import execute
from tests.support.waiting import until

WRITER = """
import psycopg2, sys
with psycopg2.connect(host="127.0.0.1", port=sys.argv[1], user="postgres") as connection:
    connection.cursor().execute("INSERT INTO note (body) VALUES ('milk')")
"""


def test_dropped_commit(notes: Notes) -> None:
    """A dropped COMMIT leaves both sides waiting for ever: no error, no row."""
    point = notes.link.drop(Sent("COMMIT"))
    client = notes.start_writing("milk")
    point.wait()
    assert still_waits(client)
    assert notes.link.open_connections == 1
    notes.link.reset_connections()
    with pytest.raises(psycopg2.OperationalError):
        client.result(DEADLINE)
    assert notes.bodies() == []


def test_stall(notes: Notes) -> None:
    """A stalled message arrives when its time has passed, and not before."""
    started = time.monotonic()
    notes.link.stall(Sent("COMMIT"), 0.3)
    notes.write("milk")
    assert 0.3 <= time.monotonic() - started < 2
    held, client = notes.hold_write(Answer("COMMIT"), "eggs")
    decided = time.monotonic()
    held.stall(0.2)
    client.result(DEADLINE)
    assert time.monotonic() - decided >= 0.2
    assert notes.bodies() == ["eggs", "milk"]


@pytest.mark.parametrize(("decide", "rows"), [(Held.release, 1), (Held.drop, 0), (Held.reset, 0)])
def test_client_killed(notes: Notes, decide: Callable[[Held], None], rows: int) -> None:
    """A COMMIT on its way when its client is killed arrives if it is released, and not otherwise."""
    point = notes.link.hold(Sent("COMMIT"))
    with subprocess.Popen([sys.executable, "-c", WRITER, str(notes.link.port)]) as client:
        held = point.wait()
        client.send_signal(signal.SIGKILL)
    decide(held)
    until(lambda: notes.link.open_connections == 0, "the connection is closed", DEADLINE)
    assert len(notes.bodies()) == rows


def test_server_killed(notes: Notes) -> None:
    """PostgreSQL killed before COMMIT: the client gets an error, the next is refused, and all works when it is back."""
    held, client = notes.hold_write(Sent("COMMIT"))
    notes.postgres.server.kill()
    with pytest.raises(psycopg2.OperationalError):
        client.result(DEADLINE)
    held.release()
    with pytest.raises(psycopg2.OperationalError):
        notes.write("never")
    assert EventKind.REFUSED in {event.kind for event in notes.link.log.events()}
    notes.postgres.server.start()
    notes.write("eggs")
    assert notes.bodies() == ["eggs"]


def test_reset_toward_one_side(notes: Notes) -> None:
    """With the client reset alone, the server keeps its transaction open and hears nothing."""
    point = notes.link.cut(Sent("COMMIT"), toward=Side.CLIENT)
    client = notes.start_writing("milk")
    point.wait()
    with pytest.raises(psycopg2.OperationalError):
        client.result(DEADLINE)
    open_transactions = "SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction'"
    assert len(execute(notes.url, open_transactions)) == 1
    notes.link.reset_connections()
    until(lambda: execute(notes.url, open_transactions) == [], "the transaction is rolled back", DEADLINE)
    assert notes.bodies() == []
