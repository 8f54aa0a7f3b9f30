"""A database that hangs while its kernel answers is given up, and whatever it cannot do now is known as such."""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from tests.scenarios.stage import add, name
from tests.support.history import Outcome
from tests.support.running_twin import RunningServer, RunningTwin
from tests.support.waiting import until
from todo_shared.models.database import DATABASE_UNAVAILABLE, engine_options
from todo_shared.settings import DatabaseSettings
from todo_stack.stack import Stack
from todo_stack.twins import PLAIN

SHORT = {"db_connect_timeout_seconds": 2, "db_silence_timeout_seconds": 2}
MUCH_LONGER = 10.0


@contextlib.contextmanager
def engine_for(url: str) -> Iterator[Engine]:
    """An engine as the twins have it, with short time-outs."""
    settings = DatabaseSettings.model_validate({"database_url": url, **SHORT})
    engine = create_engine(settings.database_url, **engine_options(settings))
    yield engine
    engine.dispose()


@pytest.fixture
def engine(stack: Stack) -> Iterator[Engine]:
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


def test_twin_gives_it_up(twin: RunningTwin) -> None:
    """The plain twin says that it failed, the Restate twin that it is pending; afterwards both go on, without it."""
    before, during, after = (name(f"hung {when}") for when in ("before", "during", "after"))
    assert add(twin, before).outcome is Outcome.OK
    with hung(twin.stack.servers["db"]):
        operation = add(twin, during)
        if twin.which.durable:
            # The first attempt counts: only a step that was given up has a second.
            until(lambda: any(call["retry_count"] > 1 for call in twin.unfinished()), "the step is given up")
    assert operation.outcome is (Outcome.PENDING if twin.which.durable else Outcome.FAIL)
    assert add(twin, after).outcome is Outcome.OK
    assert twin.settle() == []
    assert [len(twin.tasks(task)) for task in (before, during, after)] == [1, int(twin.which.durable), 1]


@pytest.mark.parametrize("exchange", [backend, Connection.commit], ids=["a statement", "COMMIT"])
def test_connection_is_replaced(stack: Stack, engine: Engine, exchange: Callable[[Connection], object]) -> None:
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


def test_server_that_never_answers() -> None:
    """A port that accepts and says nothing is given up within the time to connect; what the URL says of it wins."""
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


@pytest.mark.parametrize(
    "state",
    [
        pytest.param("08006", id="connection failure"),
        pytest.param("25006", id="read-only transaction"),
        pytest.param("25P03", id="idle in a transaction for too long"),
        pytest.param("40001", id="serialization failure"),
        pytest.param("40P01", id="deadlock"),
        pytest.param("53100", id="disk full"),
        pytest.param("53300", id="too many connections"),
        pytest.param("55P03", id="lock not available"),
        pytest.param("57014", id="statement timeout"),
        pytest.param("57P01", id="shut down"),
        pytest.param("57P03", id="starting up"),
        pytest.param("58030", id="input or output"),
    ],
)
def test_what_it_cannot_do_now(engine: Engine, state: str) -> None:
    """Each error that may be over in a moment is known as one."""
    with engine.connect() as connection, pytest.raises(DBAPIError) as caught:
        connection.execute(text(f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END $$"))
    assert isinstance(caught.value, DATABASE_UNAVAILABLE)
    assert caught.value.orig is not None
    assert getattr(caught.value.orig, "pgcode", None) == state


def test_lost_connections(engine: Engine) -> None:
    """So is a connection that the server has ended or that was closed here; a constraint is another matter."""
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
