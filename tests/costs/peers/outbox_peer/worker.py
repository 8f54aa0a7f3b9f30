"""The worker: takes due rows of the outbox, adds their todos, and writes the result beside them, all in one commit."""

import contextlib
import json
import logging
import time
from datetime import timedelta

import psycopg2
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from tests.costs.peers import database
from tests.costs.peers.outbox_peer.table import DONE, NEW, OutboxBase, OutboxRow, announced, listen
from todo_shared.models.database import DATABASE_UNAVAILABLE, complete_url
from todo_shared.settings import DatabaseSettings, load

BATCH = 32
"""Rows of one transaction: one flush to the disk for all of them."""

POLL_SECONDS = 1.0
"""How long a row can go unnoticed whose announcement was lost, or that was put off."""

MAX_BACKOFF_SECONDS = 30.0

log = logging.getLogger("outbox")


def work_off() -> int:
    """Do a batch of due rows and return how many there were; other workers' rows are left to them."""
    due = (
        select(OutboxRow)
        .where(OutboxRow.result.is_(None), OutboxRow.due_at <= func.now())
        .order_by(OutboxRow.due_at)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    with database.sessions().begin() as session:
        requests = session.scalars(due).all()
        for request in requests:
            try:
                with session.begin_nested():
                    request.result = database.add(session, request.task, request.order)
            except DATABASE_UNAVAILABLE:
                raise
            except SQLAlchemyError as error:
                # This row's own fault: it is put off, the others are not.
                log.warning("%s failed: %s", request.key, error)
                request.attempts += 1
                wait = min(0.1 * 2**request.attempts, MAX_BACKOFF_SECONDS)
                request.due_at = func.now() + timedelta(seconds=wait)
            else:
                answer = json.dumps({"key": request.key, "todo": request.result})
                session.execute(select(func.pg_notify(DONE, answer)))
    return len(requests)


def work(url: str) -> None:
    """Work until the database cannot be reached."""
    with contextlib.closing(listen(url, NEW)) as connection:
        print("ready", flush=True)
        while True:
            if not work_off():
                announced(connection, POLL_SECONDS)


def main() -> None:
    """Work until SIGTERM, which ends the process: what was not committed is done by the next."""
    settings = load(DatabaseSettings)
    url = complete_url(settings).set(drivername="postgresql").render_as_string(hide_password=False)
    OutboxBase.metadata.create_all(database.sessions().kw["bind"])
    while True:
        try:
            work(url)
        except (psycopg2.OperationalError, *DATABASE_UNAVAILABLE) as error:
            log.warning("the database cannot do it now: %s", error)
            time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    main()
