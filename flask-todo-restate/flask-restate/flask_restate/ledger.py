"""The ledger: a step changes the database once, even if Restate repeats it.

Restate writes a step's result to its journal after the step has committed. If the process dies in between, or the
database's answer to COMMIT is lost, Restate runs the step again:

    step ── change ── ledger row ── COMMIT ──┬── result into Restate's journal
      ▲                                      │
      └───────── run again ──────────────────┘   finds the row, returns its result

The row is written in the same transaction as the change, so either both exist or neither does.
"""

import functools
import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar, cast, get_type_hints

import restate
from pydantic import TypeAdapter
from sqlalchemy import JSON, DateTime, Table, Text, delete, func, insert, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, Session, mapped_column

from flask_restate.errors import DATABASE_UNAVAILABLE, translate
from flask_restate.extension import OPERATION_HEADER

MIGRATIONS = Path(__file__).parent / "migrations"
"""A folder for Alembic's version_locations, for applications without a migration of their own for the table."""

T = TypeVar("T")

log = logging.getLogger(__name__)

_adapter = functools.cache(TypeAdapter)


class LedgerMixin:
    """The table: `class Operation(LedgerMixin, Base)`. Each row is a change that was made, with its result."""

    __tablename__ = "operation"

    operation_id: Mapped[str] = mapped_column(Text, primary_key=True)
    result: Mapped[Any] = mapped_column(JSON().with_variant(JSONB(), "postgresql"), nullable=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now(), index=True)


class Ledger:
    """Makes each change once. Threads and processes may share its table."""

    def __init__(self, model: type[LedgerMixin], sessions: Callable[[], AbstractContextManager[Session]]) -> None:
        """Use the table of this model; `sessions` returns new sessions, as an SQLAlchemy sessionmaker does."""
        # The table, not the model: a statement costs half as much without the unit of work.
        self._table = cast(Table, model.__table__)  # type: ignore[attr-defined]
        self._sessions = sessions

    def once(self, ctx: restate.Context, change: Callable[[Session], T]) -> Callable[[], T]:
        """Return a step for `ctx.run_typed` that makes this change once, however often Restate runs it.

        The change's return annotation is the type of the result: a pydantic model, or anything that is JSON. Its name
        is the step's name. The table in flask_restate.errors says what happens when it raises.
        """
        # A call that is restarted as new, or sent again after Restate has forgotten its key, gets another id.
        call = ctx.request().headers.get(OPERATION_HEADER) or ctx.request().id
        operation_id = f"{call}/{change.__name__}"

        def step() -> T:
            try:
                return self.apply(operation_id, change)
            except Exception as error:
                raise translate(error) from None

        # The SDK needs the annotation to journal the result.
        step.__annotations__["return"] = _returned(change)
        return step

    def apply(self, operation_id: str, change: Callable[[Session], T]) -> T:
        """Make the change and return its result; if it was made before, return the result from then.

        If the change raises, look for its row first: a todo may not be found, or a unique value be taken, because this
        change has already succeeded. If the same step still runs elsewhere, in a process that only seemed dead, the
        database makes this one wait until the other has ended.

        Raises what the change or the database raises. Then nothing has changed, or it is unknown whether it has.
        """
        adapter: TypeAdapter[T] = _adapter(_returned(change))
        with self._sessions() as session:
            try:
                result = change(session)
                row = {"operation_id": operation_id, "result": adapter.dump_python(result, mode="json")}
                session.execute(insert(self._table), row)
                session.commit()
                return result
            except DATABASE_UNAVAILABLE:
                raise  # The row cannot be looked up now. The next attempt will do it.
            except Exception:
                session.rollback()
                made = select(self._table.c.result).where(self._table.c.operation_id == operation_id)
                if found := session.execute(made).one_or_none():
                    return adapter.validate_python(found.result)
                raise

    def purge(self, older_than: timedelta, batch: int = 1000) -> int:
        """Delete rows that no repeat can need any more, and return how many.

        Each batch is a transaction: a single statement for a large backlog would exceed the statement time-out.
        """
        old = select(self._table.c.operation_id).where(self._table.c.created_at < func.now() - older_than)
        # Do not wait for rows that another process is deleting.
        some = old.limit(batch).with_for_update(skip_locked=True)
        purged = 0
        while True:
            with self._sessions() as session:
                deleted = session.execute(
                    delete(self._table)
                    .where(self._table.c.operation_id.in_(some))
                    .returning(self._table.c.operation_id)
                )
                count = len(deleted.all())
                session.commit()
            purged += count
            if count < batch:
                return purged

    def keep_purged(self, older_than: timedelta, interval: timedelta = timedelta(minutes=10)) -> None:
        """Purge now and then at every interval, for ever. Run this in a thread of its own."""
        while True:
            try:
                if purged := self.purge(older_than):
                    log.info("purged %d rows from the ledger", purged)
            except SQLAlchemyError as error:
                log.warning("could not purge the ledger, will retry: %s", str(error).partition("\n")[0])
            time.sleep(interval.total_seconds())


def _returned(change: Callable[..., Any]) -> object:
    hint = getattr(change, "__annotations__", {}).get("return", Any)
    return get_type_hints(change)["return"] if isinstance(hint, str) else hint
