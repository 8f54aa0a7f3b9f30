"""The tables, in one SQLite file: a server of its own that stays when the databases of others go."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import JSON, ForeignKey, Index, UniqueConstraint, event, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from outside_world.settings import THREADS

BUSY_SECONDS = 30
"""How long a writer waits for others. Each of them takes milliseconds."""


def now() -> str:
    """Return the time in UTC, as text that sorts."""
    return later(0)


def later(seconds: float) -> str:
    """Return the time in so many seconds."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="microseconds")


class Base(DeclarativeBase):
    """Base of the models. Times are text, see now()."""

    def shown(self) -> dict[str, Any]:
        """Return all columns."""
        return {column.name: getattr(self, column.name) for column in self.__table__.columns}


db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False})


class Request(Base):
    """What somebody asked of a receiver, carried out or not, and what it was answered."""

    __tablename__ = "request"
    __table_args__ = (UniqueConstraint("receiver", "kept_key"), Index("ix_request_receiver", "receiver", "id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[str] = mapped_column(default=now)
    receiver: Mapped[str]
    method: Mapped[str]
    path: Mapped[str]
    reference: Mapped[str] = mapped_column(index=True)
    key: Mapped[str | None] = mapped_column(index=True)
    body: Mapped[str]
    fingerprint: Mapped[str]
    """Of what is asked: a key stands for one thing."""
    mode: Mapped[str | None]
    """How the receiver had been told to behave."""
    kept_key: Mapped[str | None]
    """The key, if this request is the first one with it: its answer is the answer to all others."""
    replayed: Mapped[bool] = mapped_column(default=False)
    """Whether it was given the answer of the first one."""
    status: Mapped[int | None]
    """None while it is not answered, which is for ever if the server died meanwhile."""
    answer: Mapped[str | None]
    answered_at: Mapped[str | None]
    effects: Mapped[list["Effect"]] = relationship(lazy="selectin", order_by="Effect.id")


class Effect(Base):
    """What a receiver did."""

    __tablename__ = "effect"
    __table_args__ = (
        Index("ix_effect_receiver", "receiver", "id"),
        Index("ix_effect_subject", "receiver", "subject", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[str] = mapped_column(default=now)
    request_id: Mapped[int] = mapped_column(ForeignKey("request.id"), index=True)
    receiver: Mapped[str]
    what: Mapped[str]
    """Such as paid, refunded, booked, cancelled, barred, sent, received."""
    subject: Mapped[str]
    """The payment's or booking's id, with the room in front, or the hook's name."""
    reference: Mapped[str] = mapped_column(index=True)
    key: Mapped[str | None] = mapped_column(index=True)
    details: Mapped[dict[str, Any]] = mapped_column(JSON)


class Payment(Base):
    """Money that was taken."""

    __tablename__ = "payment"

    id: Mapped[str] = mapped_column(primary_key=True)
    amount: Mapped[int]
    currency: Mapped[str]
    reference: Mapped[str]
    status: Mapped[str] = mapped_column(default="paid")


class Booking(Base):
    """An id that was booked, or cancelled before it was: then it stays barred."""

    __tablename__ = "booking"
    __table_args__ = (Index("ix_booking_place", "place", "live", "starts"),)

    place: Mapped[str] = mapped_column(primary_key=True)
    """A room, or the calendar."""
    id: Mapped[str] = mapped_column(primary_key=True)
    live: Mapped[bool]
    starts: Mapped[float] = mapped_column(default=0)
    """In seconds since 1970."""
    ends: Mapped[float] = mapped_column(default=0)
    content: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


class Mode(Base):
    """How a receiver was told to behave."""

    __tablename__ = "mode"

    id: Mapped[int] = mapped_column(primary_key=True)
    receiver: Mapped[str] = mapped_column(index=True)
    order: Mapped[dict[str, Any]] = mapped_column(JSON)
    left: Mapped[int | None]
    """For how many more requests."""
    until: Mapped[str | None]


def open_file(app: Flask, file: Path) -> None:
    """Let the application use this file, made if it is not there."""
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{file.resolve()}"
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {
        # Without its own idea of when a transaction begins: see writing().
        "connect_args": {"isolation_level": None, "timeout": BUSY_SECONDS},
        "pool_size": THREADS,
    }
    db.init_app(app)
    with app.app_context():

        @event.listens_for(db.engine, "connect")
        def survive_a_power_cut(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")

        db.create_all()


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """One transaction that no other write comes into: begun as one, it waits for them instead of failing."""
    try:
        db.session.execute(text("BEGIN IMMEDIATE"))
        yield
        db.session.commit()
    except BaseException:
        db.session.rollback()
        raise
