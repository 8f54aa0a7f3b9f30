"""A link as a whole: refused, silent, reset, closed; its breakpoints and its log."""

import socket
import threading
from concurrent.futures import Future, ThreadPoolExecutor

import psycopg2
import pytest

from tests.faultlab.wire import (
    Direction,
    Event,
    EventLog,
    Http1Protocol,
    Kind,
    Opaque,
    PostgresProtocol,
    Protocol,
    Proxy,
    Request,
)
from tests.faultlab.wire.notes import connect, notes, write
from tests.faultlab.wire.waiting import DEADLINE, eventually, still_waits
from todo_stack.ports import Ports


def test_refuse_and_heal(link: Proxy, database: tuple[str, int]) -> None:
    """Refused is refused as by a machine without the server; open connections go on; healed, new ones come through."""
    with connect(link.port) as cursor:
        link.refuse()
        with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", link.port)):
            pass
        cursor.execute("INSERT INTO note (body) VALUES ('milk')")
    link.heal()
    write(link.port, "eggs")
    assert notes(database) == ["eggs", "milk"]


def test_blackhole_and_heal(link: Proxy, database: tuple[str, int], pool: ThreadPoolExecutor) -> None:
    """In a black hole nothing arrives, not even an end; what was sent arrives when it is gone."""
    with connect(link.port) as cursor:
        link.blackhole()
        client: Future[object] = pool.submit(cursor.execute, "INSERT INTO note (body) VALUES ('milk')")
        newcomer = pool.submit(write, link.port, "eggs")
        assert still_waits(client)
        assert not newcomer.done()
        assert notes(database) == []
        link.heal()
        client.result(DEADLINE)
        newcomer.result(DEADLINE)
    assert notes(database) == ["eggs", "milk"]


def test_reset_is_a_reset() -> None:
    """Both sides of a connection that is reset see RST, and not an end in order."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        Proxy("a link", Opaque(), upstream=listener.getsockname()) as link,
        socket.create_connection(("127.0.0.1", link.port), timeout=DEADLINE) as client,
    ):
        server, _ = listener.accept()
        with server:
            client.sendall(b"hello")
            assert server.recv(5) == b"hello"
            link.reset_connections()
            with pytest.raises(ConnectionResetError):
                client.recv(1)
            with pytest.raises(ConnectionResetError):
                server.recv(1)


def test_dead_upstream_resets_the_client() -> None:
    """Where no server listens, the client's connection is reset at once."""
    with (
        Proxy("a link", Opaque(), upstream=("127.0.0.1", Ports.free().postgres)) as link,
        socket.create_connection(("127.0.0.1", link.port), timeout=DEADLINE) as client,
        pytest.raises(ConnectionResetError),
    ):
        client.recv(1)


def test_ends_are_passed_on() -> None:
    """A side that has said all it had can still hear the other."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        Proxy("a link", Opaque(), upstream=listener.getsockname()) as link,
        socket.create_connection(("127.0.0.1", link.port), timeout=DEADLINE) as client,
    ):
        server, _ = listener.accept()
        with server:
            client.shutdown(socket.SHUT_WR)
            assert server.recv(1) == b""
            server.sendall(b"late")
        assert client.recv(9) == b"late"
        assert client.recv(1) == b""


def test_missing_hit_is_explained(link: Proxy) -> None:
    """Waiting in vain says what was awaited, where, and what passed instead."""
    point = link.hold(Request("COMMIT", mentioning="eggs"))
    write(link.port, "milk")
    with pytest.raises(TimeoutError) as failure:
        point.wait(0.05)
    for part in (
        "service to database",
        "Request('COMMIT', mentioning='eggs')",
        "0.05 s",
        "INSERT INTO note",
        "→ COMMIT",
    ):
        assert part in str(failure.value)


def test_times(link: Proxy, database: tuple[str, int], pool: ThreadPoolExecutor) -> None:
    """A breakpoint stops as many messages as it says, once by default, none when it is cancelled."""
    point = link.hold(Request("COMMIT"), times=2)
    clients = [pool.submit(write, link.port, f"note {number}") for number in range(2)]
    first, second = point.wait(DEADLINE), point.wait(DEADLINE)
    write(link.port, "third")
    assert notes(database) == ["third"]
    first.release()
    with pytest.raises(RuntimeError, match="decided before"):
        first.drop()
    point.cancel()
    for client in clients:
        client.result(DEADLINE)
    assert len(notes(database)) == 3
    assert second.fate == "released"
    always = link.cut(Request("COMMIT"), times=None)
    for _ in range(3):
        with pytest.raises(psycopg2.OperationalError):
            write(link.port, "never")
    always.cancel()
    held = link.hold(Request("COMMIT"))
    client = pool.submit(write, link.port, "last")
    held.wait(DEADLINE)
    link.clear()
    client.result(DEADLINE)
    assert len(notes(database)) == 4


def test_mistakes_of_a_test_are_recorded(link: Proxy, caplog: pytest.LogCaptureFixture) -> None:
    """A condition that raises resets its connection and is named; a listener that raises is told no more."""

    def fail(_: object) -> bool:
        raise ValueError("no such thing")

    def listen(_: Event) -> None:
        raise ValueError("no such thing")

    link.log.subscribe(listen)
    link.hold(Request("COMMIT", where=fail))
    with pytest.raises(psycopg2.OperationalError):
        write(link.port, "milk")
    assert any("ValueError: no such thing" in event.label for event in link.log.events())
    assert "told nothing more" in caplog.text
    link.clear()
    write(link.port, "milk")


def test_close(database: tuple[str, int], pool: ThreadPoolExecutor) -> None:
    """Closing ends what is open and held, may be repeated, frees the port and leaves no thread."""
    with Proxy("a link", PostgresProtocol(), upstream=database) as link:
        point = link.hold(Request("COMMIT"))
        client = pool.submit(write, link.port, "milk")
        held = point.wait(DEADLINE)
    with pytest.raises(psycopg2.OperationalError):
        client.result(DEADLINE)
    link.close()
    assert held.fate == "gone"
    assert not [thread for thread in threading.enumerate() if thread.name == "wire"]
    with Proxy("another", PostgresProtocol(), upstream=database, port=link.port) as again:
        write(again.port, "eggs")
    with pytest.raises(RuntimeError, match="closed"):
        link.heal()
    assert notes(database) == ["eggs"]


def test_everything_is_recorded(database: tuple[str, int], pool: ThreadPoolExecutor) -> None:
    """The log tells what happened on which connection, which way and in which order; it is bounded."""
    log, told = EventLog(keep=50), list[Event]()
    unsubscribe = log.subscribe(told.append)
    with Proxy("service to database", PostgresProtocol(), upstream=database, log=log) as link:
        point = link.hold(Request("COMMIT"))
        client = pool.submit(write, link.port, "milk")
        point.wait(DEADLINE).release()
        client.result(DEADLINE)
        eventually(lambda: link.open_connections == 0, "connection closed")
        events = log.events()
        assert [(event.label, event.kind) for event in events if event.connection == 1] == [
            ("", Kind.OPENED),
            ("start-up", Kind.PASSED),
            ("BEGIN", Kind.PASSED),
            ("BEGIN", Kind.PASSED),
            ("INSERT INTO note (body) VALUES ('milk')", Kind.PASSED),
            ("INSERT 0 1", Kind.PASSED),
            ("COMMIT", Kind.HELD),
            ("COMMIT", Kind.RELEASED),
            ("COMMIT", Kind.PASSED),
            ("goodbye", Kind.PASSED),
            ("client ended", Kind.ENDED),
            ("server ended", Kind.ENDED),
            ("", Kind.CLOSED),
        ]
        assert told == events
        assert [event.time for event in events] == sorted(event.time for event in events)
        assert str(events[6]) == "service to database #1 → COMMIT [held]"
        unsubscribe()
        for _ in range(5):
            write(link.port, "more")
    assert len(log.events()) == 50
    assert len(told) == len(events)


def test_protocols_take_any_pieces() -> None:
    """Messages are the same however TCP cuts the bytes, and together they are the bytes."""
    statements = ["BEGIN", "INSERT INTO note VALUES ('milk')", "COMMIT"]
    frames = [b"Q" + (len(each) + 5).to_bytes(4) + each.encode() + b"\0" for each in statements]
    postgres = b"\0\0\0\x08\0\3\0\0" + b"".join(frames)
    http = b"POST /add HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: 1\r\n\r\n"
    for protocol, data, names in (
        (PostgresProtocol, postgres, ["start-up", *statements]),
        (Http1Protocol, http, ["POST /add"]),
    ):
        for size in (1, 2, 7, len(data)):
            reader: Protocol = protocol()
            messages = [
                message
                for at in range(0, len(data), size)
                for message in reader.feed(Direction.TO_SERVER, data[at : at + size])
            ]
            assert [message.name for message in messages] == names
            assert b"".join(message.raw for message in messages) == data
