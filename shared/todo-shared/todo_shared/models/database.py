"""How both twins connect to the database."""

import contextlib
import functools
import os
import select
import time
from collections.abc import Iterator
from typing import Any

import psycopg2
from flask import g, has_request_context
from flask_sqlalchemy import SQLAlchemy
from psycopg2.extensions import POLL_OK, POLL_WRITE, STATUS_SETUP, connection, set_wait_callback
from sqlalchemy import URL, Connection, DateTime, Dialect, Engine, ExceptionContext, MetaData, event
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import ConnectionPoolEntry

from todo_shared.outages import Outage
from todo_shared.settings import DatabaseSettings
from todo_shared.sockets import has_news

Moment = DateTime(timezone=True)


class Base(DeclarativeBase):
    """Base of the models. It names constraints, so that migrations can refer to them."""

    metadata = MetaData(
        naming_convention={
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


# Rows stay readable after the commit, so that an answer needs no second query.
db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False})


@contextlib.contextmanager
def reading() -> Iterator[Connection]:
    """Return a connection of the pool on which each statement is for itself: BEGIN and COMMIT are two round trips."""
    with db.engine.connect() as reader:
        # Not by SQLAlchemy's isolation level, which takes two round trips to be set back.
        raw: connection = reader.connection.dbapi_connection  # type: ignore[assignment]  # it is psycopg2's
        raw.autocommit = True
        try:
            yield reader
        finally:
            if not raw.closed:
                raw.autocommit = False


DATABASE_UNAVAILABLE = (OperationalError, InterfaceError, InternalError, PoolTimeoutError)
"""What SQLAlchemy raises when the database is unavailable: down, read-only, out of space, out of connections."""

DATABASE_ERRORS = (DBAPIError, PoolTimeoutError)
"""Everything that goes wrong with the database."""

REFUSALS: dict[str, tuple[int, str]] = {
    "22": (422, "The database cannot hold this."),
    "23": (409, "This contradicts something that is stored already."),
    "54": (422, "The database cannot hold this."),
    "2200H": (507, "The list is full: there is no number left for another todo."),
    "P0001": (409, ""),  # RAISE in a function or trigger, with the words of whoever wrote that
}
"""What no repeat can mend, with the HTTP status and what the user is told: PostgreSQL's codes or their classes."""

TRUSTED_SECONDS = 0.5
"""How long a connection that has worked is believed to work. A server takes longer than that to restart."""

outage = Outage("the database")


def refusal(error: BaseException) -> tuple[int, str] | None:
    """Return the status and the words for an error that no repeat can mend; None if one may."""
    original = getattr(error, "orig", error)
    state = getattr(original, "pgcode", None) or ""
    refused = REFUSALS.get(state) or REFUSALS.get(state[:2])
    return refused and (refused[0], refused[1] or str(original).partition("\n")[0])


@event.listens_for(Engine, "handle_error")
def _failed(context: ExceptionContext) -> None:
    refused = refusal(context.original_exception)
    users_fault = refused and refused[0] < 500
    if not users_fault:
        outage.failed(context.original_exception)


@event.listens_for(Engine, "after_cursor_execute")
def _succeeded(*_: object) -> None:
    outage.ended()


@event.listens_for(Engine, "commit")
def _commits(_connection: object) -> None:
    if has_request_context():
        g.committing = True


def committing() -> bool:
    """Return whether this request has begun to commit something, so that it may be saved whatever failed."""
    return bool(g.get("committing"))


class ImpatientConnection(connection):
    """A connection that gives up when the server does not finish an exchange in time.

    The server enforces statement_timeout and its kernel answers keepalives, so neither helps when the server's process
    hangs while its kernel keeps acknowledging. libpq has no read time-out, so `wait` provides one.
    """

    def __init__(self, dsn: str, silence_timeout_seconds: float) -> None:
        self.silence_timeout_seconds = silence_timeout_seconds
        super().__init__(dsn)


def wait(waiting: connection) -> None:
    """Wait for one exchange with the server to end, or for connecting, whose time-out libpq then leaves to us.

    psycopg2 calls this for every connection of the process; those that are not impatient (migrations) wait for ever.
    Any exception here, even from a signal handler, makes psycopg2 close the connection, because its state is unknown.
    Closing it here would be a deadlock.

    Raises:
        psycopg2.OperationalError: it took too long.

    """
    if waiting.status == STATUS_SETUP:
        seconds = float(waiting.info.dsn_parameters.get("connect_timeout", 0))
    else:
        seconds = getattr(waiting, "silence_timeout_seconds", 0)
    deadline = time.monotonic() + seconds
    while (wanted := waiting.poll()) != POLL_OK:
        # Created anew each time: while connecting, libpq may move on to another socket.
        sockets = select.poll()
        sockets.register(waiting.fileno(), select.POLLOUT if wanted == POLL_WRITE else select.POLLIN)
        left = max(0, deadline - time.monotonic()) if seconds > 0 else None
        if not sockets.poll(None if left is None else left * 1000):
            raise psycopg2.OperationalError(f"the database has not answered for {seconds:g} s")


def _note_use(_connection: connection, entry: ConnectionPoolEntry) -> None:
    entry.info["used"] = time.monotonic()


def _ping(pooled: connection, entry: ConnectionPoolEntry, _proxy: object) -> None:
    """Give nobody a dead connection of the pool: all of them are made anew, then.

    SQLAlchemy's own ping is a round trip for each transaction. It is spared where a connection has worked just now and
    its server has not closed it since, which would have arrived.
    """
    used = entry.info.get("used")
    if used is None or (time.monotonic() - used < TRUSTED_SECONDS and not has_news(pooled.fileno())):
        return
    try:
        pooled.autocommit = True
        with pooled.cursor() as cursor:
            cursor.execute("SELECT 1")
        pooled.autocommit = False
    except psycopg2.Error as error:
        raise InvalidatePoolError from error


@event.listens_for(Engine, "do_connect")
def connect_to_one(dialect: Dialect, _record: object, _arguments: object, parameters: dict[str, Any]) -> object:
    """Try the hosts of an address in turn, each with its own time to connect, as libpq does where it waits itself."""
    hosts = str(parameters.get("host", "")).split(",")
    ports = str(parameters.get("port", "")).split(",")
    if len(hosts) == 1:
        return None  # SQLAlchemy connects.
    addresses = list(zip(hosts, ports * len(hosts) if len(ports) == 1 else ports, strict=True))
    for host, port in addresses[:-1]:
        with contextlib.suppress(psycopg2.OperationalError):
            return dialect.connect(**{**parameters, "host": host, "port": port})
    host, port = addresses[-1]
    return dialect.connect(**{**parameters, "host": host, "port": port})


def complete_url(url: URL, settings: DatabaseSettings) -> URL:
    """Return the URL including its password, wherever that was given."""
    if settings.database_password and not url.password:
        return url.set(password=settings.database_password.get_secret_value())
    return url


def engine_options(settings: DatabaseSettings) -> dict[str, Any]:
    """Return arguments for SQLAlchemy's create_engine, the same in every process of both twins."""
    set_wait_callback(wait)
    silence = settings.db_silence_timeout_seconds
    milliseconds = int(settings.db_statement_timeout_seconds * 1000)
    # libpq would take only ours, but all of these for migrations, which say nothing.
    options = f"{os.environ.get('PGOPTIONS', '')} -c idle_in_transaction_session_timeout={silence * 1000}"
    arguments: dict[str, Any] = {
        "connection_factory": functools.partial(ImpatientConnection, silence_timeout_seconds=silence),
        "connect_timeout": settings.db_connect_timeout_seconds,
        "options": f"{options} -c statement_timeout={milliseconds}",
        "keepalives": 1,
        "keepalives_idle": max(1, silence // 2),
        "keepalives_interval": 1,
        "keepalives_count": max(1, silence // 2),
        "tcp_user_timeout": silence * 1000,
        "application_name": "todo",
        # psycopg2 can send what this can say, and PGCLIENTENCODING may say less.
        "client_encoding": "utf8",
    }
    if settings.database_password and not settings.database_url.password:
        arguments["password"] = settings.database_password.get_secret_value()
    return {
        # Parameters in the URL win.
        "connect_args": {name: arguments[name] for name in arguments.keys() - settings.database_url.query.keys()},
        # hstore costs three more messages per connection, and none of our columns has that type.
        "use_native_hstore": False,
        "pool_size": settings.db_pool_size,
        # The one that was used last: it and its backend have what they need at hand.
        "pool_use_lifo": True,
        "max_overflow": 0,
        "pool_timeout": settings.db_pool_timeout_seconds,
        "pool_events": [(_note_use, "checkin"), (_ping, "checkout")],
    }
