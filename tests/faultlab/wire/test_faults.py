"""What can be done to a message that was stopped, and what its sender and its receiver see of it."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest

from tests.faultlab.wire import Answer, Held, Kind, Proxy, Request, Side
from tests.faultlab.wire.notes import KILLABLE, address, connect, notes, write
from tests.faultlab.wire.waiting import DEADLINE, eventually, still_waits
from tests.support.database import execute
from todo_stack.postgres import Postgres


def test_dropped_commit(link: Proxy, database: tuple[str, int], pool: ThreadPoolExecutor) -> None:
    """A dropped COMMIT leaves both sides waiting for ever: no error, no row."""
    point = link.drop(Request("COMMIT"))
    client = pool.submit(write, link.port, "milk")
    point.wait(DEADLINE)
    assert still_waits(client)
    assert link.open_connections == 1
    link.reset_connections()
    with pytest.raises(psycopg2.OperationalError):
        client.result(DEADLINE)
    assert notes(database) == []


def test_stall(link: Proxy, database: tuple[str, int], pool: ThreadPoolExecutor) -> None:
    """A stalled message arrives when its time has passed, and not before."""
    started = time.monotonic()
    link.stall(Request("COMMIT"), 0.3)
    write(link.port, "milk")
    assert 0.3 <= time.monotonic() - started < 2
    point = link.hold(Answer("COMMIT"))
    client = pool.submit(write, link.port, "eggs")
    held = point.wait(DEADLINE)
    decided = time.monotonic()
    held.stall(0.2)
    client.result(DEADLINE)
    assert time.monotonic() - decided >= 0.2
    assert notes(database) == ["eggs", "milk"]


@pytest.mark.parametrize(("decide", "rows"), [(Held.release, 1), (Held.drop, 0), (Held.reset, 0)])
def test_client_killed(link: Proxy, database: tuple[str, int], decide: Callable[[Held], None], rows: int) -> None:
    """A COMMIT on its way when its client is killed still arrives if it is released, and does not if it is not."""
    point = link.hold(Request("COMMIT"))
    with subprocess.Popen([sys.executable, "-c", KILLABLE, str(link.port)]) as client:
        held = point.wait(DEADLINE)
        client.send_signal(signal.SIGKILL)
    decide(held)
    eventually(lambda: link.open_connections == 0, "connection closed")
    assert len(notes(database)) == rows


def test_server_killed(link: Proxy, server: Postgres, database: tuple[str, int], pool: ThreadPoolExecutor) -> None:
    """PostgreSQL killed before COMMIT: the client is told, the next is refused, and all goes on when it is back."""
    point = link.hold(Request("COMMIT"))
    client = pool.submit(write, link.port, "milk")
    held = point.wait(DEADLINE)
    server.server.kill()
    with pytest.raises(psycopg2.OperationalError):
        client.result(DEADLINE)
    held.release()
    with pytest.raises(psycopg2.OperationalError), connect(link.port):
        pass
    assert Kind.REFUSED in {event.kind for event in link.log.events()}
    server.server.start()
    write(link.port, "eggs")
    assert notes(database) == ["eggs"]


def test_reset_toward_one_side(link: Proxy, database: tuple[str, int], pool: ThreadPoolExecutor) -> None:
    """With the client reset alone, the server keeps its transaction open and hears nothing."""
    point = link.cut(Request("COMMIT"), toward=Side.CLIENT)
    client = pool.submit(write, link.port, "milk")
    point.wait(DEADLINE)
    with pytest.raises(psycopg2.OperationalError):
        client.result(DEADLINE)
    url = address(database[1])
    open_ = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'"
    assert execute(url, open_) == [(1,)]
    link.reset_connections()
    eventually(lambda: execute(url, open_) == [(0,)], "rolled back")
    assert notes(database) == []
