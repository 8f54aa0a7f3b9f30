"""The wire is exact: what is held has not happened, what was let go has, and nothing else is touched."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotDone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TypeVar

import psycopg
import pytest
import requests
import sqlalchemy

from flask_restate.identity import public_key
from tests.lab.wire import (
    Answer,
    Direction,
    Event,
    EventLog,
    Held,
    Http1Protocol,
    Http2Protocol,
    HttpRequest,
    HttpResponse,
    Invocation,
    Kind,
    Opaque,
    PostgresProtocol,
    PostgresReply,
    PostgresStatement,
    Protocol,
    Proxy,
    Request,
    Side,
)
from todo_stack import restate as restate_server
from todo_stack.ports import Ports
from todo_stack.postgres import Postgres

T = TypeVar("T")

DEADLINE = 10.0
MOMENT = 0.15  # seconds in which anything that can happen on this machine's loopback does


@pytest.fixture(autouse=True)
def pool() -> Iterator[ThreadPoolExecutor]:
    """Threads for clients that have to wait; made first, so that the links they wait on are closed before them."""
    with ThreadPoolExecutor(32) as executor:
        yield executor


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Wait until the condition holds."""
    until = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < until, f"after {DEADLINE:g} s still not: {what}"
        time.sleep(0.005)


def still_waits(future: "Future[T]") -> bool:
    """Whether nothing has come of it for a moment."""
    with contextlib.suppress(NotDone):
        future.result(MOMENT)
        return False
    return True


# PostgreSQL


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A PostgreSQL server of our own."""
    folder = tmp_path_factory.mktemp("postgres")
    postgres = Postgres(folder / "data", Ports.free().postgres, dict(os.environ), lambda _name, _line: None)
    postgres.prepare()
    postgres.server.start()
    try:
        yield postgres
    finally:
        postgres.server.kill()


@pytest.fixture
def database(server: Postgres) -> tuple[str, int]:
    """Its address, with an empty table `note`."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS note")
        connection.execute("CREATE TABLE note (id serial PRIMARY KEY, body text)")
        port = connection.info.port
    return "127.0.0.1", port


@pytest.fixture
def link(database: tuple[str, int]) -> Iterator[Proxy]:
    """A link to the database."""
    with Proxy("service to database", PostgresProtocol(), upstream=database) as proxy:
        yield proxy


def connect(port: int, **options: object) -> "psycopg.Connection[tuple[object, ...]]":
    """Connect to the database, directly or through a link."""
    return psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres", **options)  # type: ignore[arg-type]


CLIENT = """
import psycopg, sys
with psycopg.connect(host="127.0.0.1", port=sys.argv[1], user="postgres", dbname="postgres") as connection:
    connection.execute("INSERT INTO note (body) VALUES ('milk')")
"""


def write(port: int, body: str) -> None:
    """Add a note in a transaction."""
    with connect(port) as connection:
        connection.execute("INSERT INTO note (body) VALUES (%s)", (body,))


def notes(database: tuple[str, int]) -> list[str]:
    """Return the notes that another connection sees."""
    with connect(database[1]) as connection:
        return [str(row[0]) for row in connection.execute("SELECT body FROM note ORDER BY body")]


def test_held_before_commit(link: Proxy, database: tuple[str, int], pool: ThreadPoolExecutor) -> None:
    """While the COMMIT is held nobody else sees the row; when it is released they do."""
    point = link.hold(Request("COMMIT"))
    client = pool.submit(write, link.port, "milk")
    held = point.wait(DEADLINE)
    assert notes(database) == []
    assert not client.done()
    held.release()
    client.result(DEADLINE)
    assert notes(database) == ["milk"]


def test_held_before_the_statement(link: Proxy, database: tuple[str, int], pool: ThreadPoolExecutor) -> None:
    """A statement that is held has not locked anything; it says its text and its values."""
    point = link.hold(Request("INSERT INTO note"))
    client = pool.submit(write, link.port, "milk")
    held = point.wait(DEADLINE)
    assert isinstance(held.message, PostgresStatement)
    assert held.message.parameters == ("milk",)
    assert held.message.transaction.statements[0].text == "BEGIN"
    with connect(database[1]) as other:
        other.execute("LOCK TABLE note IN EXCLUSIVE MODE NOWAIT")
    held.release()
    client.result(DEADLINE)


def test_answer_to_commit_held(link: Proxy, database: tuple[str, int], pool: ThreadPoolExecutor) -> None:
    """While the answer to COMMIT is held the row is there and the client waits; cut, it gets an error only."""
    point = link.hold(Answer("COMMIT"))
    client = pool.submit(write, link.port, "milk")
    held = point.wait(DEADLINE)
    assert isinstance(held.message, PostgresReply)
    assert (held.message.tag, held.message.status) == ("COMMIT", "I")
    assert notes(database) == ["milk"]
    assert still_waits(client)
    held.reset()
    with pytest.raises(psycopg.OperationalError):
        client.result(DEADLINE)
    assert notes(database) == ["milk"]


def test_marker_singles_out_a_transaction(link: Proxy, database: tuple[str, int], pool: ThreadPoolExecutor) -> None:
    """Of many transactions at once only the one that mentions the marker is held; the others go on."""
    point = link.hold(Request("COMMIT", mentioning="note 7"))
    clients = [pool.submit(write, link.port, f"note {number}") for number in range(10)]
    held = point.wait(DEADLINE)
    for number, client in enumerate(clients):
        if number != 7:
            client.result(DEADLINE)
    assert "note 7" not in notes(database)
    assert len(notes(database)) == 9
    held.release()
    clients[7].result(DEADLINE)
    assert "note 7" in notes(database)


@pytest.mark.parametrize("cursor", [psycopg.Cursor, psycopg.ClientCursor])
def test_number_as_marker(
    link: Proxy, database: tuple[str, int], pool: ThreadPoolExecutor, cursor: type[psycopg.Cursor[object]]
) -> None:
    """A number is found as a whole number only, bound as a value or written into the statement."""
    for number in range(13):
        write(database[1], str(number))

    def delete(number: int) -> None:
        with connect(link.port, cursor_factory=cursor) as connection:
            connection.execute("DELETE FROM note WHERE id = %s", (number,))

    point = link.hold(Request("COMMIT", mentioning=1))
    clients = {number: pool.submit(delete, number) for number in (12, 11, 1)}
    held = point.wait(DEADLINE)
    clients[12].result(DEADLINE)
    clients[11].result(DEADLINE)
    assert len(notes(database)) == 11
    held.release()
    clients[1].result(DEADLINE)
    assert len(notes(database)) == 10


@pytest.mark.parametrize(("threshold", "before"), [(0, 0), (0, 1), (5, 6)])
def test_prepared_statements(
    link: Proxy, database: tuple[str, int], pool: ThreadPoolExecutor, threshold: int, before: int
) -> None:
    """Text and values of a statement are known also where only the name of a prepared one is sent."""

    def write_many() -> None:
        with connect(link.port, prepare_threshold=threshold) as connection:
            for body in [f"before {number}" for number in range(before)] + ["milk"]:
                connection.execute("INSERT INTO note (body) VALUES (%s)", (body,))
                connection.commit()

    insert = link.hold(Request("INSERT INTO note", mentioning="milk"))
    commit = link.hold(Request("COMMIT", mentioning="milk"))
    client = pool.submit(write_many)
    statement = insert.wait(DEADLINE)
    assert isinstance(statement.message, PostgresStatement)
    assert statement.message.text == "INSERT INTO note (body) VALUES ($1)"
    assert statement.message.parameters == ("milk",)
    statement.release()
    held = commit.wait(DEADLINE)
    assert len(notes(database)) == before
    held.release()
    client.result(DEADLINE)
    assert len(notes(database)) == before + 1


def test_pooled_connection(link: Proxy, database: tuple[str, int], pool: ThreadPoolExecutor) -> None:
    """SQLAlchemy's pooled connection with pre-ping: transaction after transaction, only the one that is meant."""
    engine = sqlalchemy.create_engine(
        f"postgresql+psycopg://postgres@127.0.0.1:{link.port}/postgres", pool_size=1, pool_pre_ping=True
    )

    def write_through_pool(body: str) -> None:
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("INSERT INTO note (body) VALUES (:body)"), {"body": body})

    point = link.hold(Answer("COMMIT", mentioning="milk"))
    for number in range(7):
        write_through_pool(f"before {number}")
    client = pool.submit(write_through_pool, "milk")
    held = point.wait(DEADLINE)
    assert "milk" in notes(database)
    held.reset()
    with pytest.raises(sqlalchemy.exc.OperationalError):
        client.result(DEADLINE)
    write_through_pool("after")
    assert len(notes(database)) == 9
    engine.dispose()


def test_pipeline(link: Proxy, database: tuple[str, int], pool: ThreadPoolExecutor) -> None:
    """In a pipeline each statement and each answer is a message of its own."""

    def write_two() -> None:
        with connect(link.port) as connection, connection.pipeline():
            for body in ("milk", "eggs"):
                connection.execute("INSERT INTO note (body) VALUES (%s)", (body,))
            connection.commit()

    inserts = link.watch(Request("INSERT INTO note"), times=2)
    point = link.hold(Request("COMMIT", mentioning="milk"))
    client = pool.submit(write_two)
    held = point.wait(DEADLINE)
    sent = [inserts.wait(DEADLINE).message for _ in range(2)]
    assert [each.parameters for each in sent if isinstance(each, PostgresStatement)] == [("milk",), ("eggs",)]
    assert notes(database) == []
    held.release()
    client.result(DEADLINE)
    assert notes(database) == ["eggs", "milk"]


def test_rollback_is_no_commit(link: Proxy, database: tuple[str, int]) -> None:
    """Neither ROLLBACK, nor COMMIT of a failed transaction, nor one that fails itself is taken for a commit."""
    sent = link.watch(Request("COMMIT"), times=None)
    answered = link.watch(Answer("COMMIT"), times=None)
    with connect(link.port) as connection:
        connection.execute("INSERT INTO note (body) VALUES ('milk')")
        connection.rollback()
        with pytest.raises(psycopg.errors.DivisionByZero):
            connection.execute("SELECT 1 / 0")
        connection.execute("COMMIT")
        assert not sent.hit
        connection.execute("CREATE TEMPORARY TABLE once (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        connection.execute("INSERT INTO once VALUES (1), (1)")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.commit()
        sent.wait(DEADLINE)
        assert not answered.hit
        connection.execute("INSERT INTO note (body) VALUES ('eggs')")
    answered.wait(DEADLINE)
    assert notes(database) == ["eggs"]


def test_dropped_commit(link: Proxy, database: tuple[str, int], pool: ThreadPoolExecutor) -> None:
    """A dropped COMMIT leaves both sides waiting for ever: no error, no row."""
    point = link.drop(Request("COMMIT"))
    client = pool.submit(write, link.port, "milk")
    point.wait(DEADLINE)
    assert still_waits(client)
    assert link.open_connections == 1
    link.reset_connections()
    with pytest.raises(psycopg.OperationalError):
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
    with subprocess.Popen([sys.executable, "-c", CLIENT, str(link.port)]) as client:
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
    with pytest.raises(psycopg.OperationalError):
        client.result(DEADLINE)
    held.release()
    with pytest.raises(psycopg.OperationalError), connect(link.port):
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
    with pytest.raises(psycopg.OperationalError):
        client.result(DEADLINE)
    with connect(database[1], autocommit=True) as other:
        open_ = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'"
        assert other.execute(open_).fetchall() == [(1,)]
        link.reset_connections()
        eventually(lambda: other.execute(open_).fetchall() == [(0,)], "rolled back")
    assert notes(database) == []


def test_big_values_and_copy(link: Proxy) -> None:
    """What is large, and what is no statement at all, passes unchanged."""
    large = "ß" * 3_000_000
    with connect(link.port) as connection:
        connection.execute("INSERT INTO note (body) VALUES (%s)", (large,))
        assert connection.execute("SELECT body FROM note").fetchall() == [(large,)]
        with connection.cursor().copy("COPY note (body) FROM STDIN") as copy:
            for number in range(2000):
                copy.write_row((f"row {number}",))
        with connection.cursor().copy("COPY note (body) TO STDOUT") as copy:
            assert sum(1 for _ in copy.rows()) == 2001
        assert len(connection.execute("SELECT repeat('x', 1000) FROM note").fetchall()) == 2001


def test_protocols_take_any_pieces() -> None:
    """Messages are the same however TCP cuts the bytes, and together they are the bytes."""
    bind = b"\0\0\0\1\0\0\0\1\0\0\0\4milk\0\0"
    parse = b"\0INSERT INTO note VALUES ($1)\0\0\0"
    execute = b"\0\0\0\0\0"
    frames = [(b"Q", b"BEGIN\0"), (b"P", parse), (b"B", bind), (b"E", execute), (b"S", b""), (b"Q", b"COMMIT\0")]
    postgres = b"\0\0\0\x08\0\3\0\0" + b"".join(kind + (len(body) + 4).to_bytes(4) + body for kind, body in frames)
    http = b"POST /add HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: 1\r\n\r\n"
    for protocol, data, names in (
        (PostgresProtocol, postgres, ["start-up", "BEGIN", "INSERT INTO note VALUES ($1)", "COMMIT"]),
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


def test_encrypted_connection_is_not_passed_in_silence(database: tuple[str, int]) -> None:
    """What cannot be read is reset and recorded, because a breakpoint on it could never be hit."""
    with (
        Proxy("web to database", PostgresProtocol(), upstream=database) as link,
        socket.create_connection(("127.0.0.1", link.port)) as client,
    ):
        client.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        assert Kind.NOT_UNDERSTOOD in {event.kind for event in link.log.events()}


# The link as a whole


def test_refuse_and_heal(link: Proxy, database: tuple[str, int]) -> None:
    """Refused is refused as by a machine without the server; open connections go on; healed, new ones come through."""
    with connect(link.port) as connection:
        link.refuse()
        with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", link.port)):
            pass
        connection.execute("INSERT INTO note (body) VALUES ('milk')")
    link.heal()
    write(link.port, "eggs")
    assert notes(database) == ["eggs", "milk"]


def test_blackhole_and_heal(link: Proxy, database: tuple[str, int], pool: ThreadPoolExecutor) -> None:
    """In a black hole nothing arrives, not even an end; what was sent arrives when it is gone."""
    with connect(link.port) as connection:
        link.blackhole()
        client: Future[object] = pool.submit(connection.execute, "INSERT INTO note (body) VALUES ('milk')")
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
        with pytest.raises(psycopg.OperationalError):
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
    with pytest.raises(psycopg.OperationalError):
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
    with pytest.raises(psycopg.OperationalError):
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
            ("INSERT INTO note (body) VALUES ($1)", Kind.PASSED),
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


# HTTP/1.1


class Web(BaseHTTPRequestHandler):
    """Answers with what it was sent, in chunks if the path says so, and keeps a list of it."""

    protocol_version = "HTTP/1.1"
    bodies: list[bytes]

    def handle(self) -> None:
        """Serve one connection; its end may be a reset."""
        with contextlib.suppress(ConnectionError):
            super().handle()

    def do_POST(self) -> None:
        """Answer a POST."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.bodies.append(body)
        self.send_response(200)
        chunked = self.path == "/chunked"
        self.send_header(*(("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(len(body)))))
        self.end_headers()
        pieces = [body[at : at + 50_000] for at in range(0, len(body), 50_000)] + [b""]
        self.wfile.write(b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in pieces) if chunked else body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def web() -> Iterator[tuple[Proxy, list[bytes]]]:
    """A link to a small web server, and what that has received."""
    bodies: list[bytes] = []
    handler = type("Handler", (Web,), {"bodies": bodies})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            with Proxy("client to web", Http1Protocol(), upstream=("127.0.0.1", server.server_port)) as link:
                yield link, bodies
        finally:
            server.shutdown()
            thread.join()


def post(link: Proxy, path: str, body: bytes) -> bytes:
    """Send a body and return the answer's."""
    return requests.post(f"http://127.0.0.1:{link.port}{path}", data=body, timeout=DEADLINE).content


def test_request_held(web: tuple[Proxy, list[bytes]], pool: ThreadPoolExecutor) -> None:
    """A request that is held has not reached the server; one among many is found by its body."""
    link, bodies = web
    point = link.hold(Request("POST /add", mentioning="note 3"))
    clients = [pool.submit(post, link, "/add", b"note %d" % number) for number in range(6)]
    held = point.wait(DEADLINE)
    assert isinstance(held.message, HttpRequest)
    assert (held.message.method, held.message.path, held.message.body) == ("POST", "/add", b"note 3")
    assert held.message.headers["content-length"] == "6"
    for number in (0, 1, 2, 4, 5):
        clients[number].result(DEADLINE)
    assert b"note 3" not in bodies
    held.release()
    assert clients[3].result(DEADLINE) == b"note 3"


@pytest.mark.parametrize("path", ["/plain", "/chunked"])
def test_response_held(web: tuple[Proxy, list[bytes]], pool: ThreadPoolExecutor, path: str) -> None:
    """When the response is held the server has done its work and the client does not know."""
    link, bodies = web
    point = link.hold(Answer(f"POST {path}", mentioning=b"milk"))
    client = pool.submit(post, link, path, b"milk")
    held = point.wait(DEADLINE)
    assert isinstance(held.message, HttpResponse)
    assert (held.message.status, held.message.body, held.message.request.path) == (200, b"milk", path)
    assert bodies == [b"milk"]
    assert not client.done()
    held.reset()
    with pytest.raises(requests.ConnectionError):
        client.result(DEADLINE)


@pytest.mark.parametrize("path", ["/plain", "/chunked"])
def test_big_http_bodies(web: tuple[Proxy, list[bytes]], path: str) -> None:
    """Bodies longer than what is kept together pass unchanged, and the connection is of use afterwards."""
    link, bodies = web
    body = os.urandom(5_000_000)
    with requests.Session() as session:
        for sent in (body, b"", b"small"):
            answer = session.post(f"http://127.0.0.1:{link.port}{path}", data=sent, timeout=DEADLINE)
            assert answer.content == sent
    assert bodies == [body, b"", b"small"]
    assert max(event.connection for event in link.log.events()) == 1


def test_http_bytes_are_untouched() -> None:
    """Every byte of a kept-alive conversation arrives as it was sent: chunks, lengths, odd spelling, no body at all."""
    requests_ = [
        b"POST /add HTTP/1.1\r\nhOsT:  a\r\nContent-Length: 4\r\nX-A: \xe9\r\n\r\nmilk",
        b"POST /add HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3;x=y\r\nabc\r\n01\r\nd\r\n0\r\nT: 1\r\n\r\n",
        b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"DELETE /1 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ]
    responses = [
        b"HTTP/1.1 201 Made\r\ncontent-LENGTH: 2\r\n\r\nok",
        b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n",
        b"HTTP/1.1 204 \r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
    ]
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        Proxy("client to web", Http1Protocol(), upstream=listener.getsockname()) as link,
        socket.create_connection(("127.0.0.1", link.port), timeout=DEADLINE) as client,
    ):
        server, _ = listener.accept()
        server.settimeout(DEADLINE)
        with server:
            for request, response in zip(requests_, responses, strict=True):
                client.sendall(request)
                assert exactly(server, len(request)) == request
                server.sendall(response)
                if response is not responses[-1]:
                    assert exactly(client, len(response)) == response
        assert exactly(client, len(responses[-1])) == responses[-1]
        assert client.recv(1) == b""
        eventually(lambda: link.open_connections == 1, "half of it open")


def test_body_that_waits_for_leave() -> None:
    """A client that asks before it sends its body gets its answer: go on, or not."""
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    for said, body, answer in (
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"milk", b"HTTP/1.1 204 \r\n\r\n"),
        (b"", b"", b"HTTP/1.1 417 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
    ):
        with (
            socket.create_server(("127.0.0.1", 0)) as listener,
            Proxy("client to web", Http1Protocol(), upstream=listener.getsockname()) as link,
            socket.create_connection(("127.0.0.1", link.port), timeout=DEADLINE) as client,
        ):
            server, _ = listener.accept()
            server.settimeout(DEADLINE)
            with server:
                client.sendall(head)
                assert exactly(server, len(head)) == head
                server.sendall(said)
                assert exactly(client, len(said)) == said
                client.sendall(body)
                assert exactly(server, len(body)) == body
                server.sendall(answer)
                assert exactly(client, len(answer)) == answer


def exactly(sock: socket.socket, length: int) -> bytes:
    """Read so many bytes."""
    data = b""
    while len(data) < length and (more := sock.recv(length - len(data))):
        data += more
    return data


# HTTP/2, to a Restate service


class Steps:
    """A Restate server, a service with one step, and the link between them."""

    def __init__(self, folder: Path, ports: Ports) -> None:
        self.ports = ports
        self._file = folder / "runs"
        self._service: subprocess.Popen[bytes] | None = None
        public_key(folder / "key.pem")
        self.restate = restate_server.server(
            restate_server.find_binary(Path(__file__).parents[1]),
            folder / "restate",
            folder / "key.pem",
            ports=ports,
            env={"TMPDIR": str(folder)},  # killed, it leaves there what it spilled
            log=lambda _name, _line: None,
        )

    def start_service(self) -> None:
        """Start the service endpoint."""
        program = [sys.executable, "-m", "tests.lab.wire.steps_service"]
        self._service = subprocess.Popen(
            [*program, str(self.ports.restate_service), str(self._file)],
            cwd=Path(__file__).parents[1],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill_service(self) -> None:
        """Kill it."""
        if self._service:
            self._service.kill()
            self._service.wait()

    def register(self, port: int) -> bool:
        """Tell the Restate server where the service is; False if it cannot be reached yet."""
        body = {"uri": f"http://127.0.0.1:{port}"}
        return requests.post(f"{self.ports.admin_url}/deployments", json=body, timeout=DEADLINE).ok

    def take(self, name: str) -> str:
        """Take a step and wait for it."""
        url = f"{self.ports.ingress_url}/Steps/take"
        answer = requests.post(url, json=name, timeout=2 * DEADLINE)
        answer.raise_for_status()
        return str(answer.json())

    def runs(self, name: str) -> int:
        """Return how often a step ran."""
        return self._file.read_text().split().count(name) if self._file.exists() else 0


@pytest.fixture(scope="module")
def step_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Steps, Proxy]]:
    """A service that the Restate server reaches through the link."""
    steps = Steps(tmp_path_factory.mktemp("restate"), Ports.free())
    with Proxy("ingress to service", Http2Protocol(), upstream=("127.0.0.1", steps.ports.restate_service)) as link:
        try:
            steps.start_service()
            steps.restate.start()
            eventually(lambda: steps.register(link.port), "service registered")
            yield steps, link
        finally:
            steps.restate.kill()
            steps.kill_service()


@pytest.fixture
def steps(step_service: tuple[Steps, Proxy]) -> Iterator[tuple[Steps, Proxy]]:
    """The same with no breakpoint left over."""
    yield step_service
    step_service[1].clear()


def test_invocation_held(steps: tuple[Steps, Proxy], pool: ThreadPoolExecutor) -> None:
    """A held invocation has not begun, others on the same connection overtake it, and released it runs once."""
    restate, link = steps
    point = link.hold(Request("invoke Steps/take", mentioning="held-1"))
    client = pool.submit(restate.take, "held-1")
    held = point.wait(DEADLINE)
    assert isinstance(held.message, Invocation)
    assert (held.message.handler, held.message.entries) == ("Steps/take", 1)
    others = [pool.submit(restate.take, f"other-{number}") for number in range(20)]
    assert [other.result(DEADLINE) for other in others] == [f"other-{number}" for number in range(20)]
    assert held.connection in {
        event.connection for event in link.log.events(held.since) if event.label == "invoke Steps/take"
    }
    assert restate.runs("held-1") == 0
    held.release()
    assert client.result(DEADLINE) == "held-1"
    assert restate.runs("held-1") == 1


def test_result_held_and_service_killed(steps: tuple[Steps, Proxy], pool: ThreadPoolExecutor) -> None:
    """A service killed while its step's result is on the way to the journal runs that step again."""
    restate, link = steps
    point = link.hold(Answer("ProposeRunCompletion", mentioning="twice"))
    client = pool.submit(restate.take, "twice")
    held = point.wait(DEADLINE)
    assert restate.runs("twice") == 1
    assert restate.take("meanwhile") == "meanwhile"
    again = link.watch(Request("invoke Steps/take", mentioning="twice"))
    restate.kill_service()
    held.drop()
    restate.start_service()
    assert client.result(2 * DEADLINE) == "twice"
    assert restate.runs("twice") == 2
    repeated = again.wait(DEADLINE).message
    assert isinstance(repeated, Invocation)
    assert repeated.entries == 2  # the input, and the command to run the step


def test_journalled_result_held(steps: tuple[Steps, Proxy], pool: ThreadPoolExecutor) -> None:
    """When the news that the result is journalled is held and the connection cut, the step does not run again."""
    restate, link = steps
    point = link.hold(Request("RunCompletionNotification", mentioning="once"))
    client = pool.submit(restate.take, "once")
    held = point.wait(DEADLINE)
    assert not client.done()
    held.reset()
    assert client.result(2 * DEADLINE) == "once"
    assert restate.runs("once") == 1


def test_big_invocations(steps: tuple[Steps, Proxy]) -> None:
    """Inputs and results larger than every window pass unchanged, also when they are held on their way."""
    restate, link = steps
    name = "big " + "x" * 700_000
    assert restate.take(name) == name
    link.stall(Request("invoke Steps/take"), 0.1)
    link.stall(Answer("ProposeRunCompletion"), 0.1)
    assert restate.take(name) == name
