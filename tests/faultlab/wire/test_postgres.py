"""The wire to PostgreSQL is exact: what is held has not happened, what was let go has, and nothing else is touched."""

import io
from collections.abc import Iterator

import psycopg2
import pytest
import sqlalchemy
from psycopg2.extensions import get_wait_callback, set_wait_callback

from tests.faultlab.wire.clients import DEADLINE, INSERT, Notes, joined, still_waits
from tests.faultlab.wire.events import EventKind
from tests.faultlab.wire.messages import Answer, Sent
from tests.faultlab.wire.postgres import PostgresAnswer, PostgresProtocol, PostgresStatement, StatementText
from tests.support.database import execute


def test_held_before_the_statement(notes: Notes) -> None:
    """A statement that is held has not locked anything; its text and its values can be read."""
    held, client = notes.hold_write(Sent("INSERT INTO note"))
    assert isinstance(held.message, PostgresStatement)
    assert held.message.text.strings == ("milk",)
    assert held.message.transaction.statements[0].text == "BEGIN"
    execute(notes.url, "BEGIN; LOCK TABLE note IN EXCLUSIVE MODE NOWAIT; COMMIT")
    held.release()
    client.result(DEADLINE)


def test_answer_to_commit_held(notes: Notes) -> None:
    """While the answer to COMMIT is held the row is there and the client waits; cut, it gets an error only."""
    held, client = notes.hold_write(Answer("COMMIT"))
    assert isinstance(held.message, PostgresAnswer)
    assert (held.message.tag, held.message.status) == ("COMMIT", "I")
    assert notes.bodies() == ["milk"]
    assert still_waits(client)
    held.reset()
    with pytest.raises(psycopg2.OperationalError):
        client.result(DEADLINE)
    assert notes.bodies() == ["milk"]


def test_marker_singles_out_a_transaction(notes: Notes) -> None:
    """Of many transactions at once only the one that mentions the marker is held; the others go on."""
    point = notes.link.hold(Sent("COMMIT", mentioning="note 7"))
    clients = [notes.start_writing(f"note {number}") for number in range(10)]
    held = point.wait()
    for client in clients[:7] + clients[8:]:
        client.result(DEADLINE)
    assert notes.bodies() == [f"note {number}" for number in range(10) if number != 7]
    held.release()
    clients[7].result(DEADLINE)
    assert "note 7" in notes.bodies()


@pytest.mark.parametrize(
    "text", ["it's", "back\\slash", "both \\'", "E'x'", '{"title": "milk"}', "100 %s", "; COMMIT;", "-- ß /* \n"]
)
def test_text_as_marker(notes: Notes, text: str) -> None:
    """A text is found however the client has to quote it, and is not taken for SQL."""
    point = notes.link.hold(Sent("COMMIT", mentioning=text))
    notes.write("another")
    client = notes.start_writing(text)
    held = point.wait()
    assert held.message.name == "COMMIT"
    assert notes.bodies() == ["another"]
    assert not client.done()
    held.release()
    client.result(DEADLINE)
    assert sorted(notes.bodies()) == sorted(["another", text])


def test_escapes() -> None:
    """Strings in either notation are read back as they were; what is in them is neither a number nor a COMMIT."""
    text = StatementText("""INSERT INTO "7's" VALUES (8, 56, 'it''s \\ 9; COMMIT', E'it\\'s''\\\\\\n') -- '""")
    assert text.strings == ("it's \\ 9; COMMIT", "it's'\\\n")
    assert [number for number in range(10) if text.mentions(number)] == [8]
    assert not text.commits
    assert StatementText("SELECT 1; /* ; */ COMMIT AND CHAIN; -- end").commits


def test_pooled_connection(notes: Notes) -> None:
    """SQLAlchemy's pooled connection with pre-ping: transaction after transaction, only the one that is meant."""
    url = sqlalchemy.make_url(notes.url).set(drivername="postgresql+psycopg2", port=notes.link.port)
    engine = sqlalchemy.create_engine(url, pool_size=1, pool_pre_ping=True)

    def write_through_pool(body: str) -> None:
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("INSERT INTO note (body) VALUES (:body)"), {"body": body})

    point = notes.link.hold(Answer("COMMIT", mentioning="milk"))
    for number in range(7):
        write_through_pool(f"before {number}")
    client = notes.pool.submit(write_through_pool, "milk")
    held = point.wait()
    assert "milk" in notes.bodies()
    held.reset()
    with pytest.raises(sqlalchemy.exc.OperationalError):
        client.result(DEADLINE)
    write_through_pool("after")
    assert len(notes.bodies()) == 9
    engine.dispose()


def test_rollback_is_no_commit(notes: Notes) -> None:
    """Neither ROLLBACK, nor COMMIT of a failed transaction, nor one that fails itself is taken for a commit."""
    sent = notes.link.watch(Sent("COMMIT"), times=None)
    answered = notes.link.watch(Answer("COMMIT"), times=None)
    with notes.transaction() as cursor:
        cursor.execute(INSERT, ("milk",))
        cursor.connection.rollback()
        with pytest.raises(psycopg2.errors.DivisionByZero):
            cursor.execute("SELECT 1 / 0")
        cursor.connection.commit()
        assert sent.hits.empty()
        cursor.execute("CREATE TEMPORARY TABLE once (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        cursor.execute("INSERT INTO once VALUES (1), (1)")
        with pytest.raises(psycopg2.errors.UniqueViolation):
            cursor.connection.commit()
        sent.wait()
        assert answered.hits.empty()
        cursor.execute(INSERT, ("eggs",))
    answered.wait()
    assert notes.bodies() == ["eggs"]


@pytest.fixture
def copying() -> Iterator[None]:
    """What psycopg2 needs to copy: that no callback waits in its place."""
    callback = get_wait_callback()
    set_wait_callback(None)
    yield
    set_wait_callback(callback)


@pytest.mark.usefixtures("copying")
def test_big_values_and_copy(notes: Notes) -> None:
    """Large values and COPY, which is no statement with one answer, pass unchanged."""
    large, out = "ß" * 3_000_000, io.StringIO()
    with notes.transaction() as cursor:
        cursor.execute(INSERT, (large,))
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
def test_what_cannot_be_read_is_not_passed_in_silence(data: bytes) -> None:
    """What cannot be read is reset and recorded, because a breakpoint on it could never be hit."""
    with joined(PostgresProtocol) as (link, client, _):
        client.sendall(data)
        with pytest.raises(ConnectionResetError):
            list(iter(lambda: client.recv(100), b""))
        assert EventKind.NOT_UNDERSTOOD in {event.kind for event in link.log.events()}
