"""The wire to PostgreSQL is exact: what is held has not happened, what was let go has, and nothing else is touched."""

import io
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest
import sqlalchemy
from psycopg2.extensions import get_wait_callback, set_wait_callback

from tests.faultlab.wire import Answer, Kind, PostgresProtocol, PostgresReply, PostgresStatement, Proxy, Request
from tests.faultlab.wire.notes import address, connect, notes, write
from tests.faultlab.wire.postgres_statements import Executed
from tests.faultlab.wire.waiting import DEADLINE, still_waits


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
    assert held.message.executed.strings == ("milk",)
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
    with pytest.raises(psycopg2.OperationalError):
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


def test_number_as_marker(link: Proxy, database: tuple[str, int], pool: ThreadPoolExecutor) -> None:
    """A number is found as a whole number only."""
    for number in range(13):
        write(database[1], str(number))

    def delete(number: int) -> None:
        with connect(link.port) as cursor:
            cursor.execute("DELETE FROM note WHERE id = %s", (number,))

    point = link.hold(Request("COMMIT", mentioning=1))
    clients = {number: pool.submit(delete, number) for number in (12, 11, 1)}
    held = point.wait(DEADLINE)
    clients[12].result(DEADLINE)
    clients[11].result(DEADLINE)
    assert len(notes(database)) == 11
    held.release()
    clients[1].result(DEADLINE)
    assert len(notes(database)) == 10


@pytest.mark.parametrize(
    "text", ["it's", "back\\slash", "both \\'", "E'x'", '{"title": "milk"}', "100 %s", "; COMMIT;", "-- ß /* \n"]
)
def test_text_as_marker(link: Proxy, database: tuple[str, int], pool: ThreadPoolExecutor, text: str) -> None:
    """A text is found whatever the client must do to write it into its statement, and is not taken for SQL."""
    point = link.hold(Request("COMMIT", mentioning=text))
    write(link.port, "another")
    client = pool.submit(write, link.port, text)
    held = point.wait(DEADLINE)
    assert held.message.name == "COMMIT"
    assert notes(database) == ["another"]
    held.release()
    client.result(DEADLINE)
    assert sorted(notes(database)) == sorted(["another", text])


def test_escapes() -> None:
    """Strings in either notation are read back as they were; what is in them is neither a number nor a COMMIT."""
    executed = Executed("""INSERT INTO "7's" VALUES (8, 'it''s \\ 9; COMMIT', E'it\\'s''\\\\\\n') -- '""")
    assert executed.strings == ("it's \\ 9; COMMIT", "it's'\\\n")
    assert [number for number in range(10) if executed.mentions(number)] == [8]
    assert not executed.commits
    assert Executed("SELECT 1; /* ; */ COMMIT AND CHAIN; -- end").commits


def test_pooled_connection(link: Proxy, database: tuple[str, int], pool: ThreadPoolExecutor) -> None:
    """SQLAlchemy's pooled connection with pre-ping: transaction after transaction, only the one that is meant."""
    url = address(link.port).replace("postgresql:", "postgresql+psycopg2:")
    engine = sqlalchemy.create_engine(url, pool_size=1, pool_pre_ping=True)

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


def test_rollback_is_no_commit(link: Proxy, database: tuple[str, int]) -> None:
    """Neither ROLLBACK, nor COMMIT of a failed transaction, nor one that fails itself is taken for a commit."""
    sent = link.watch(Request("COMMIT"), times=None)
    answered = link.watch(Answer("COMMIT"), times=None)
    with connect(link.port) as cursor:
        cursor.execute("INSERT INTO note (body) VALUES ('milk')")
        cursor.connection.rollback()
        with pytest.raises(psycopg2.errors.DivisionByZero):
            cursor.execute("SELECT 1 / 0")
        cursor.connection.commit()
        assert not sent.hit
        cursor.execute("CREATE TEMPORARY TABLE once (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        cursor.execute("INSERT INTO once VALUES (1), (1)")
        with pytest.raises(psycopg2.errors.UniqueViolation):
            cursor.connection.commit()
        sent.wait(DEADLINE)
        assert not answered.hit
        cursor.execute("INSERT INTO note (body) VALUES ('eggs')")
    answered.wait(DEADLINE)
    assert notes(database) == ["eggs"]


@pytest.fixture
def copying() -> Iterator[None]:
    """What psycopg2 needs to copy: that nobody has asked it to wait in a way of his own."""
    callback = get_wait_callback()
    set_wait_callback(None)
    yield
    set_wait_callback(callback)


@pytest.mark.usefixtures("copying")
def test_big_values_and_copy(link: Proxy) -> None:
    """What is large, and what is no statement at all, passes unchanged."""
    large, out = "ß" * 3_000_000, io.StringIO()
    with connect(link.port) as cursor:
        cursor.execute("INSERT INTO note (body) VALUES (%s)", (large,))
        cursor.execute("SELECT body FROM note")
        assert cursor.fetchall() == [(large,)]
        cursor.copy_expert("COPY note (body) FROM STDIN", io.StringIO("".join(f"row {n}\n" for n in range(2000))))
        cursor.copy_expert("COPY note (body) TO STDOUT", out)
        assert len(out.getvalue().splitlines()) == 2001
        cursor.execute("SELECT repeat('x', 1000) FROM note")
        assert len(cursor.fetchall()) == 2001


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="encrypted"),
        pytest.param(b"\0\0\0\x08\0\3\0\0" + b"P\0\0\0\x10\0SELECT 1\0\0\0", id="extended protocol"),
    ],
)
def test_what_cannot_be_read_is_not_passed_in_silence(database: tuple[str, int], data: bytes) -> None:
    """What cannot be read is reset and recorded, because a breakpoint on it could never be hit."""
    with (
        Proxy("web to database", PostgresProtocol(), upstream=database) as link,
        socket.create_connection(("127.0.0.1", link.port)) as client,
    ):
        client.sendall(data)
        with pytest.raises(ConnectionResetError):
            list(iter(lambda: client.recv(100), b""))
        assert Kind.NOT_UNDERSTOOD in {event.kind for event in link.log.events()}
