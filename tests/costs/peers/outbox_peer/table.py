"""The outbox: adds that were asked for, and what has become of them."""

import select
from datetime import datetime
from typing import Any

import psycopg2.extensions
from sqlalchemy import DateTime, Index, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NEW, DONE = "outbox_new", "outbox_done"
"""The channels on which a row is announced, and its result."""


class OutboxBase(DeclarativeBase):
    """Base of the table, which is not the twins'."""


class OutboxRow(OutboxBase):
    """An add that was asked for. It is done when it has a result, which is committed with the todo."""

    __tablename__ = "outbox"

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    task: Mapped[str] = mapped_column(Text)
    order: Mapped[int | None]
    result: Mapped[Any] = mapped_column(JSONB(none_as_null=True), nullable=True)
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())

    __table_args__ = (Index("ix_outbox_due_at", due_at, postgresql_where=result.is_(None)),)


def listen(url: str, channel: str) -> "psycopg2.extensions.connection":
    """Return a connection that is told of what is announced on a channel."""
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"LISTEN {channel}")
    return connection


def announced(connection: "psycopg2.extensions.connection", seconds: float | None = None) -> list[str]:
    """Return what was announced meanwhile, or else comes within this time, if any; raises psycopg2.OperationalError."""
    select.select([connection], [], [], seconds)
    connection.poll()
    texts = [notice.payload for notice in connection.notifies]
    connection.notifies.clear()
    return texts
