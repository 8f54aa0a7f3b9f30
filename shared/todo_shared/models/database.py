"""The database: how both twins connect to it."""

import functools
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg
from flask_sqlalchemy import SQLAlchemy
from psycopg import pq
from sqlalchemy import URL, DateTime, MetaData
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import DeclarativeBase

from todo_shared.settings import DatabaseSettings

Result = TypeVar("Result")

Moment = DateTime(timezone=True)


class Base(DeclarativeBase):
    """Base of the models, with names for constraints so that migrations can refer to them."""

    metadata = MetaData(
        naming_convention={
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


# Rows stay readable after the commit, so that an answer needs no second query.
db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False})


DATABASE_UNAVAILABLE = (OperationalError, InterfaceError, InternalError, PoolTimeoutError)
"""What SQLAlchemy raises when the database cannot do it now: gone, read-only, out of space, out of connections."""


class ImpatientConnection(psycopg.Connection[Any]):
    """A connection that gives up when the server does not finish an exchange.

    statement_timeout is kept by the server and keepalives by its kernel: neither helps when the server's
    process hangs while its kernel goes on acknowledging. libpq has no read time-out, so this is it.
    """

    silence_timeout_seconds: float

    def wait(self, gen: Generator[Any, Any, Result], interval: float = 0.1, timeout: float | None = None) -> Result:
        """Run one exchange with the server.

        Raises:
            psycopg.OperationalError: it was not finished in silence_timeout_seconds; the connection is closed.

        """
        try:
            return super().wait(gen, interval, self.silence_timeout_seconds if timeout is None else timeout)
        except psycopg.OperationalError:
            if timeout is None and self.pgconn.transaction_status == pq.TransactionStatus.ACTIVE:
                # Nobody knows what the server will still do, so this connection must not be used again.
                self.pgconn.finish()
                raise psycopg.OperationalError(
                    f"the database has not answered for {self.silence_timeout_seconds} s"
                ) from None
            raise


def complete_url(settings: DatabaseSettings) -> URL:
    """Return the database's URL with its password, wherever that was given."""
    if settings.database_password:
        return settings.database_url.set(password=settings.database_password.get_secret_value())
    return settings.database_url


def engine_options(settings: DatabaseSettings) -> dict[str, Any]:
    """Arguments for SQLAlchemy's create_engine, alike in every process of both twins."""
    silence = settings.db_silence_timeout_seconds

    class Connection(ImpatientConnection):
        silence_timeout_seconds = silence

    milliseconds = int(settings.db_statement_timeout_seconds * 1000)
    arguments: dict[str, Any] = {
        "connect_timeout": settings.db_connect_timeout_seconds,
        "options": f"-c statement_timeout={milliseconds} -c idle_in_transaction_session_timeout={silence * 1000}",
        "keepalives": 1,
        "keepalives_idle": max(1, silence // 2),
        "keepalives_interval": 1,
        "keepalives_count": max(1, silence // 2),
        "tcp_user_timeout": silence * 1000,
        "application_name": "todo",
        # As arguments, not as a URL: libpq takes a URL apart by rules of its own. What the URL says wins.
        **complete_url(settings).translate_connect_args(database="dbname", username="user"),
        **settings.database_url.query,
    }
    connect = functools.partial(Connection.connect, **arguments)
    return {
        "creator": connect,
        "pool_size": settings.db_pool_size,
        "max_overflow": 0,
        "pool_timeout": settings.db_pool_timeout_seconds,
        "pool_pre_ping": True,
    }
