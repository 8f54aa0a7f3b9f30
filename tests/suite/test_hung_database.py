"""A database that hangs while its kernel answers is given up, and an error that may soon be over is known as one."""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator

import pytest
from psycopg2 import errorcodes
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from tests.support.database import execute
from tests.support.history import Outcome, Verdict
from tests.support.running_twin import RunningServer, RunningStack, RunningTwin
from tests.support.user import add, new_name, verdict_on
from tests.support.waiting import until
from todo_shared.models import database
from todo_shared.models.database import DATABASE_UNAVAILABLE, engine_options
from todo_shared.settings import DatabaseSettings
from todo_stack.database_roles import SUPERUSER
from todo_stack.twins import PLAIN, RESTATE

SHORT = {"db_connect_timeout_seconds": 2, "db_silence_timeout_seconds": 2}
MUCH_LONGER = 10.0


TEMPORARY = ["08006", "25006", "25P03", "40001", "40P01", "53100", "53300", "55P03", "57014", "57P01", "57P03", "58030"]
"""PostgreSQL's codes for errors that may be over in a moment; the test ids are their names."""


@contextlib.contextmanager
def engine_for(url: str) -> Iterator[Engine]:
    """An engine as the twins have it, with short time-outs."""
    settings = DatabaseSettings.model_validate({"database_url": url, **SHORT})
    engine = create_engine(settings.database_url, **engine_options(settings))
    yield engine
    engine.dispose()


@pytest.fixture
def engine(stack: RunningStack) -> Iterator[Engine]:
    """Such an engine on the plain twin's database."""
    with engine_for(stack.database_url(PLAIN)) as engine:
        yield engine


@contextlib.contextmanager
def hung(server: RunningServer) -> Iterator[None]:
    """Let a server hang."""
    server.pause()
    try:
        yield
    finally:
        server.resume()


def backend(connection: Connection) -> int:
    """Return the number of the server's process for this connection."""
    return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())


@pytest.mark.whole
def test_twin_gives_it_up(twin: RunningTwin) -> None:
    """The plain twin says that it failed, the Restate twin that it is pending; afterwards both go on as before."""
    outcome, verdict = {
        PLAIN: (Outcome.FAIL, Verdict.REFUSED),  # Nobody would do it later.
        RESTATE: (Outcome.PENDING, Verdict.EXACTLY_ONCE),  # Restate runs the failed step again.
    }[twin.which]
    before, after = new_name("before"), new_name("after")
    assert add(twin, before).outcome is Outcome.OK
    with hung(twin.stack.servers["db"]):
        during = add(twin, new_name("during"))
        # Only a step that was given up has a second attempt. The plain twin has given up before it answers.
        until(lambda: all(call["retry_count"] > 1 for call in twin.unfinished()), "the step is given up")
    assert during.outcome is outcome
    assert add(twin, after).outcome is Outcome.OK
    assert verdict_on(twin, during) is verdict
    assert [twin.tasks(task) for task in (before, after)] == [[before], [after]]


@pytest.mark.parametrize("exchange", [backend, Connection.commit], ids=["a statement", "COMMIT"])
def test_connection_is_replaced(stack: RunningStack, engine: Engine, exchange: Callable[[Connection], object]) -> None:
    """A connection whose server hangs is given up at any exchange, and the pool makes another one."""
    with engine.connect() as connection:
        first = backend(connection)
        began = time.monotonic()
        with hung(stack.servers["db"]), pytest.raises(OperationalError, match="has not answered for 2 s"):
            exchange(connection)
        assert time.monotonic() - began < MUCH_LONGER
        assert connection.invalidated
    with engine.connect() as connection:
        assert backend(connection) != first


def test_connection_that_has_just_worked(stack: RunningStack, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not asked whether it works, but one that nobody has used for a while is, and one that was closed."""

    def last_statement(number: int) -> str:
        statement = "SELECT query FROM pg_stat_activity WHERE pid = %s"
        return str(execute(stack.database_url(PLAIN, SUPERUSER), statement, number)[0][0])

    with engine.connect() as connection:
        first = backend(connection)
    with engine.connect():
        assert last_statement(first) != "SELECT 1"
    monkeypatch.setattr(database, "TRUSTED_SECONDS", 0)
    with engine.connect():
        assert last_statement(first) == "SELECT 1"
    monkeypatch.undo()
    execute(stack.database_url(PLAIN, SUPERUSER), "SELECT pg_terminate_backend(%s, 5000)", first)
    with engine.connect() as connection:
        assert backend(connection) != first


def test_server_that_never_answers() -> None:
    """A port that accepts and says nothing is given up within the time to connect; a time in the URL wins."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"postgresql://postgres@127.0.0.1:{server.getsockname()[1]}/todos"
        for given, seconds in (("", 2), ("?connect_timeout=3", 3)):
            began = time.monotonic()
            with (
                engine_for(url + given) as engine,
                pytest.raises(OperationalError, match=f"has not answered for {seconds} s"),
            ):
                engine.connect()
            assert seconds <= time.monotonic() - began < MUCH_LONGER


def test_several_hosts(stack: RunningStack) -> None:
    """Of several hosts, the first that answers is taken: one refuses, one hangs for its time, the third is the one."""
    url = stack.database_url(PLAIN)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        dead = f"127.0.0.1:1,127.0.0.1:{silent.getsockname()[1]}"
        before, at, after = url.rpartition("@")
        began = time.monotonic()
        with engine_for(
            f"{before}{at}{dead},{after}{'&' if '?' in after else '?'}target_session_attrs=read-write"
        ) as engine:
            with engine.connect() as connection:
                assert backend(connection)
            assert SHORT["db_connect_timeout_seconds"] <= time.monotonic() - began < MUCH_LONGER
        with (
            engine_for(f"{before}{at}{dead}/todos") as engine,
            pytest.raises(OperationalError, match="has not answered for 2 s"),
        ):
            engine.connect()


@pytest.mark.parametrize("state", TEMPORARY, ids=errorcodes.lookup)
def test_error_that_may_soon_be_over(engine: Engine, state: str) -> None:
    """An error that may be over in a moment is known as one."""
    with engine.connect() as connection, pytest.raises(DBAPIError) as caught:
        connection.execute(text(f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END $$"))
    assert isinstance(caught.value, DATABASE_UNAVAILABLE)
    assert caught.value.orig is not None
    assert getattr(caught.value.orig, "pgcode", None) == state


def test_lost_connections(engine: Engine) -> None:
    """A connection that the server has ended, or that was closed here, is such an error too; a constraint is not."""
    with engine.connect() as victim, engine.connect() as other:
        other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": backend(victim)})
        with pytest.raises(DATABASE_UNAVAILABLE):
            backend(victim)
        closed = other.connection.driver_connection
        assert closed is not None
        closed.close()
        with pytest.raises(DATABASE_UNAVAILABLE):
            backend(other)
    assert not issubclass(IntegrityError, DATABASE_UNAVAILABLE)
