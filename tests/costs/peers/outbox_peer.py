"""The durable add by hand: the request becomes a row of an outbox, and a worker makes todos of these rows.

python -m tests.costs.peers.outbox_peer    # runs the worker

web ── row, COMMIT, NOTIFY ──> outbox ──> worker ── todo and the row's result in one COMMIT, NOTIFY ──> web
"""

import contextlib
import json
import logging
import select as system
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import Any

import psycopg2
from flask import Flask
from sqlalchemy import DateTime, Index, Text, func, select
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, mapped_column

from tests.costs.peers.sketch import DATABASE_URL, engine, insert_todo, sessions, settings, web_application
from todo_shared.models import db
from todo_shared.models.database import DATABASE_UNAVAILABLE, Base
from todo_shared.schemas import TodoRequest

NEW, DONE = "outbox_new", "outbox_done"
"""The channels on which a row is announced, and its result."""

BATCH = 32
"""Rows of one transaction: one flush to the disk for all of them."""

POLL_SECONDS = 1.0
"""How long a row can go unnoticed whose announcement was lost, or that was put off."""

MAX_BACKOFF_SECONDS = 30.0

log = logging.getLogger("outbox")


class OutboxRow(Base):
    """An add that was asked for. It is done when it has a result, which is committed with the todo."""

    __tablename__ = "outbox"

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    task: Mapped[str] = mapped_column(Text)
    order: Mapped[int | None]
    result: Mapped[Any] = mapped_column(JSONB(none_as_null=True), nullable=True)
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())

    __table_args__ = (Index("ix_outbox_due_at", due_at, postgresql_where=result.is_(None)),)


def announcements(channel: str, seconds: float | None = None) -> Iterator[list[str]]:
    """Yield what is announced on a channel whenever there is something, and nothing after so many seconds without.

    Raises psycopg2.OperationalError when the database is lost.
    """
    with contextlib.closing(psycopg2.connect(DATABASE_URL)) as connection:
        connection.autocommit = True
        connection.cursor().execute(f"LISTEN {channel}")
        while True:
            yield [notice.payload for notice in connection.notifies]
            connection.notifies.clear()
            system.select([connection], [], [], seconds)
            connection.poll()


def do_batch() -> int:
    """Do a batch of due rows and return how many there were; other workers' rows are left to them."""
    due = select(OutboxRow).where(OutboxRow.result.is_(None), OutboxRow.due_at <= func.now())
    batch = due.order_by(OutboxRow.due_at).limit(BATCH).with_for_update(skip_locked=True)
    with sessions.begin() as session:
        rows = session.scalars(batch).all()
        for row in rows:
            try:
                with session.begin_nested():
                    row.result = insert_todo(session, row.task, row.order)
            except DATABASE_UNAVAILABLE:
                raise
            except SQLAlchemyError as error:
                # This row's own fault: it is put off, the others are not.
                log.warning("%s failed: %s", row.key, error)
                row.attempts += 1
                row.due_at = func.now() + timedelta(seconds=min(0.1 * 2**row.attempts, MAX_BACKOFF_SECONDS))
            else:
                session.execute(select(func.pg_notify(DONE, json.dumps({"key": row.key, "todo": row.result}))))
    return len(rows)


def work() -> None:
    """Work until SIGTERM, which ends the process: what was not committed is done by the next."""
    # The migrations have made the twins' own tables.
    Base.metadata.create_all(engine)
    print("ready", flush=True)
    while True:
        try:
            for _ in announcements(NEW, POLL_SECONDS):
                while do_batch():
                    pass
        except (psycopg2.OperationalError, *DATABASE_UNAVAILABLE) as error:
            log.warning("the database cannot do it now: %s", error)
            # Before it tries to connect again.
            time.sleep(POLL_SECONDS)


def create_app() -> Flask:
    """Return the web application, in which one connection listens for the results of all requests."""
    waiting: dict[str, Future[dict[str, Any]]] = {}

    def hand_out_results() -> None:
        while True:
            with contextlib.suppress(psycopg2.OperationalError):
                for texts in announcements(DONE):
                    for answer in map(json.loads, texts):
                        if request := waiting.pop(answer["key"], None):
                            request.set_result(answer["todo"])
            # What was announced meanwhile is lost, and found in the table by those who wait.
            time.sleep(POLL_SECONDS / 2)

    def add(new: TodoRequest, key: str) -> dict[str, Any]:
        result = waiting[key] = Future()
        row = insert(OutboxRow).values(key=key, task=new.task, order=new.order).on_conflict_do_nothing()
        try:
            is_new = db.session.scalar(row.returning(OutboxRow.key))
            db.session.execute(select(func.pg_notify(NEW, "")))
            db.session.commit()
            if is_new:
                with contextlib.suppress(TimeoutError):
                    return result.result(settings.write_budget)
        finally:
            waiting.pop(key, None)
        # A repeated request finds what the first has come to.
        if todo := db.session.scalar(select(OutboxRow.result).where(OutboxRow.key == key)):
            return todo
        raise TimeoutError

    threading.Thread(target=hand_out_results, name="results", daemon=True).start()
    return web_application("flask-todo-outbox", add)


if __name__ == "__main__":
    work()
