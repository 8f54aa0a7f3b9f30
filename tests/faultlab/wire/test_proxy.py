"""What can be done to a message that was stopped on a link, and what both sides see of it; the log."""

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import NoReturn

import psycopg2
import pytest

from tests.faultlab.wire.breakpoints import Held
from tests.faultlab.wire.clients import DEADLINE, LOOPBACK, Notes, still_waits
from tests.faultlab.wire.events import EventKind, EventLog, LinkEvent
from tests.faultlab.wire.http1 import Http1Protocol
from tests.faultlab.wire.http2 import Http2Protocol
from tests.faultlab.wire.messages import Direction, Opaque, Sent, WireProtocol
from tests.faultlab.wire.postgres import PostgresProtocol
from tests.faultlab.wire.proxy import Proxy
from tests.support.waiting import until

WRITER = """
import psycopg2, sys
with psycopg2.connect(sys.argv[1], port=sys.argv[2]) as connection:
    connection.cursor().execute("INSERT INTO note (body) VALUES ('milk')")
"""


def test_dropped_commit(notes: Notes) -> None:
    """A dropped COMMIT leaves both sides waiting for ever: no error, no row."""
    held, client = notes.hold_write(Sent("COMMIT"))
    held.drop()
    assert still_waits(client)
    assert notes.link.open_connections == 1
    notes.link.reset_connections()
    with pytest.raises(psycopg2.OperationalError):
        client.result(DEADLINE)
    assert notes.bodies() == []


def test_stall(notes: Notes) -> None:
    """A stalled message arrives when its time has passed, and not before."""
    started = time.monotonic()
    held, client = notes.hold_write(Sent("COMMIT"))
    held.stall(0.3)
    client.result(DEADLINE)
    assert 0.3 <= time.monotonic() - started < 2
    assert notes.bodies() == ["milk"]


@pytest.mark.parametrize(("decide", "rows"), [(Held.release, 1), (Held.drop, 0), (Held.reset, 0)])
def test_client_killed(notes: Notes, decide: Callable[[Held], None], rows: int) -> None:
    """A COMMIT on its way when its client is killed arrives if it is released, and not otherwise."""
    point = notes.link.hold(Sent("COMMIT"))
    with subprocess.Popen([sys.executable, "-c", WRITER, notes.url, str(notes.link.port)]) as client:
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


def test_missing_hit_is_explained(notes: Notes) -> None:
    """Waiting in vain says what was awaited, where, and what passed instead."""
    point = notes.link.hold(Sent("COMMIT", mentioning="eggs"))
    notes.write("milk")
    with pytest.raises(TimeoutError) as failure:
        point.wait(0.05)
    expected = "service to database", "Sent(name='COMMIT', mentioning='eggs'", "0.05 s", "INSERT INTO note", "→ COMMIT"
    for part in expected:
        assert part in str(failure.value)


def test_times(notes: Notes) -> None:
    """A breakpoint stops as many messages as it says, once by default, none when it is cleared."""
    point = notes.link.hold(Sent("COMMIT"), times=2)
    clients = [notes.start_writing(f"note {number}") for number in range(2)]
    first, second = point.wait(), point.wait()
    notes.write("third")
    assert notes.bodies() == ["third"]
    first.release()
    with pytest.raises(RuntimeError, match="decided before"):
        first.drop()
    notes.link.clear()
    for client in clients:
        client.result(DEADLINE)
    assert len(notes.bodies()) == 3
    assert second.fate == "released"
    notes.link.cut(Sent("COMMIT"), times=None)
    for _ in range(3):
        with pytest.raises(psycopg2.OperationalError):
            notes.write("never")
    notes.link.clear()
    _, client = notes.hold_write(Sent("COMMIT"), "last")
    notes.link.clear()
    client.result(DEADLINE)
    assert len(notes.bodies()) == 4


def test_mistakes_of_a_test_are_recorded(notes: Notes, caplog: pytest.LogCaptureFixture) -> None:
    """A condition that raises resets its connection and is named; a subscriber that raises hears nothing more."""

    def fail(_: object) -> NoReturn:
        raise ValueError("no such thing")

    notes.link.log.subscribe(fail)
    notes.link.hold(fail)
    with pytest.raises(psycopg2.OperationalError):
        notes.write("milk")
    assert any("ValueError: no such thing" in event.label for event in notes.link.log.events())
    assert "hears nothing more" in caplog.text
    notes.link.clear()
    notes.write("milk")


def test_close(notes: Notes) -> None:
    """Closing ends what is open and held, may be repeated, and frees the port."""
    link = notes.link
    held, client = notes.hold_write(Sent("COMMIT"))
    link.close()
    with pytest.raises(psycopg2.OperationalError):
        client.result(DEADLINE)
    link.close()
    assert held.fate == "gone"
    socket.create_server((LOOPBACK, link.port)).close()
    assert notes.bodies() == []


def test_last_link_ends_the_thread() -> None:
    """No thread is left when the last link is closed, and a closed link says so."""
    before = set(threading.enumerate())
    with Proxy("a link", Opaque, upstream=(LOOPBACK, 1)) as link:
        assert set(threading.enumerate()) > before
    assert set(threading.enumerate()) == before
    with pytest.raises(RuntimeError, match="closed"):
        link.heal()


def test_everything_is_recorded(notes: Notes) -> None:
    """The log has what happened on which connection, which way and in which order; it is bounded."""
    log, heard = EventLog(keep=50), list[LinkEvent]()
    unsubscribe = log.subscribe(heard.append)
    with Proxy("service to database", PostgresProtocol, upstream=notes.link.upstream, log=log) as notes.link:
        held, client = notes.hold_write(Sent("COMMIT"))
        held.release()
        client.result(DEADLINE)
        until(lambda: notes.link.open_connections == 0, "the connection is closed", DEADLINE)
        events = log.events()
        assert [(event.label, event.kind) for event in events if event.connection == 1] == [
            ("", EventKind.OPENED),
            ("start-up", EventKind.PASSED),
            ("BEGIN", EventKind.PASSED),
            ("BEGIN", EventKind.PASSED),
            ("INSERT INTO note (body) VALUES ('milk')", EventKind.PASSED),
            ("INSERT 0 1", EventKind.PASSED),
            ("COMMIT", EventKind.HELD),
            ("COMMIT", EventKind.RELEASED),
            ("COMMIT", EventKind.PASSED),
            ("goodbye", EventKind.PASSED),
            ("client ended", EventKind.ENDED),
            ("server ended", EventKind.ENDED),
            ("", EventKind.CLOSED),
        ]
        assert heard == events
        assert [event.time for event in events] == sorted(event.time for event in events)
        assert str(events[6]) == "service to database #1 → COMMIT [held]"
        unsubscribe()
        for _ in range(5):
            notes.write("more")
    assert len(log.events()) == 50
    assert len(heard) == len(events)


def test_protocols_take_any_pieces() -> None:
    """Messages are the same however TCP cuts the bytes, and together they are the bytes."""
    statements = ["BEGIN", "INSERT INTO note VALUES ('milk')", "COMMIT"]
    frames = [b"Q" + (len(each) + 5).to_bytes(4) + each.encode() + b"\0" for each in statements]
    postgres = b"\0\0\0\x08\0\3\0\0" + b"".join(frames)
    http = b"POST /add HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: 1\r\n\r\n"
    # Settings, one of which nobody knows; a ping; a frame that nobody knows.
    settings, ping = b"\0\0\6\4\0\0\0\0\0\xab\xcd\0\0\0\1", b"\0\0\x08\6\1\0\0\0\0" + bytes(range(8))
    http2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings + ping + b"\0\0\1\xfa\x55\0\0\0\0x"
    for protocol, data, names in (
        (PostgresProtocol, postgres, ["start-up", *statements]),
        (Http1Protocol, http, ["POST /add"]),
        (Http2Protocol, http2, [""] * 4),
    ):
        for size in (1, 2, 7, len(data)):
            reader: WireProtocol = protocol()
            pieces = [data[at : at + size] for at in range(0, len(data), size)]
            messages = [message for piece in pieces for message in reader.feed(Direction.TO_SERVER, piece)]
            assert [message.name for message in messages] == names
            assert b"".join(message.raw for message in messages) == data
