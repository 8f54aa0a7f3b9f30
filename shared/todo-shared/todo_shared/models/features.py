"""What a todo can carry: a watcher, a reminder, a meeting, a bounty and the payments of it."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from .database import Base, Moment

UNSETTLED = ("charging", "paid")
"""A payment in one of these states keeps its todo from being deleted, and its bounty from being paid again."""

UNDONE = ("cancelled", "refused")
"""A meeting in one of these states has left nothing behind, and makes place for another."""


def _of_todo(*, key: bool = True) -> Mapped[int]:
    return mapped_column(ForeignKey("todo.id", name="fk_todo", ondelete="CASCADE"), primary_key=key)


class Watcher(Base):
    """Who is told when the todo is completed, and how the last call went."""

    __tablename__ = "watcher"

    todo_id: Mapped[int] = _of_todo()
    url: Mapped[str] = mapped_column(Text)
    called_at: Mapped[datetime | None] = mapped_column(Moment)
    error: Mapped[str | None] = mapped_column(Text)
    """Why the last call failed for good, in words for the user."""


class Reminder(Base):
    """One mail at one time. A reminder that is set again is another one, with another id."""

    __tablename__ = "reminder"
    __table_args__ = (Index("ix_reminder_due", "at", postgresql_where=text("sent_at IS NULL")),)

    todo_id: Mapped[int] = _of_todo()
    id: Mapped[str] = mapped_column(String(36), unique=True)
    """The key of its mail."""
    at: Mapped[datetime] = mapped_column(Moment)
    sent_at: Mapped[datetime | None] = mapped_column(Moment)


class Meeting(Base):
    """An event in the calendar, a room and an invitation; the todo's latest one."""

    __tablename__ = "meeting"
    __table_args__ = (
        CheckConstraint("status IN ('planning', 'planned', 'cancelling', 'cancelled', 'refused')", name="status"),
    )

    todo_id: Mapped[int] = _of_todo()
    id: Mapped[str] = mapped_column(String(36), unique=True)
    """The event and the booking have this id too, so that they can be undone whatever has become of their answers."""
    start: Mapped[datetime] = mapped_column(Moment)
    title: Mapped[str] = mapped_column(Text)
    """What others are told that it is about: the task as it was."""
    minutes: Mapped[int]
    room: Mapped[str] = mapped_column(String(100))
    invite: Mapped[str] = mapped_column(String(254))
    status: Mapped[str] = mapped_column(String(10))
    steps: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    """By the name of the step: open, done or undone."""
    reason: Mapped[str | None] = mapped_column(Text)


class Bounty(Base):
    """What is paid for the todo, in the smallest unit of the currency."""

    __tablename__ = "bounty"
    __table_args__ = (CheckConstraint("amount > 0", name="amount_positive"),)

    todo_id: Mapped[int] = _of_todo()
    amount: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))


class Payment(Base):
    """One attempt to pay a bounty. It stays when its todo is deleted."""

    __tablename__ = "payment"
    __table_args__ = (
        CheckConstraint("status IN ('charging', 'paid', 'declined', 'refunded')", name="status"),
        # On deletion of its todo, which sets todo_id to NULL, this refuses that.
        CheckConstraint("status NOT IN ('charging', 'paid') OR todo_id IS NOT NULL", name="unsettled_has_todo"),
        # Also for the deletion of a todo, which looks for its payments.
        Index("ix_payment_todo_id", "todo_id", "created_at"),
        # The database itself lets nobody pay twice.
        Index("uq_payment_open", "todo_id", unique=True, postgresql_where=text("status IN ('charging', 'paid')")),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    """The key of its charge."""
    todo_id: Mapped[int | None] = mapped_column(ForeignKey("todo.id", name="fk_todo", ondelete="SET NULL"))
    amount: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    status: Mapped[str] = mapped_column(String(8))
    charge: Mapped[str | None] = mapped_column(Text)
    """The provider's id of it."""
    reason: Mapped[str | None] = mapped_column(Text)
    """Why it was declined."""
    created_at: Mapped[datetime] = mapped_column(Moment, server_default=func.now())
