"""The ledger: makes a step that Restate repeats change the database once.

Restate writes a step's result into its journal after the step has committed. If the process dies in between, or the
database's answer to COMMIT is lost, the step is run again:

    step ── change ── ledger row ── COMMIT ──┬── result into Restate's journal
      ▲                                      │
      └───────── run again ──────────────────┘   finds the row, returns its result

The row is written in the transaction of the change: either both are there or neither is.
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
"""A folder for Alembic's version_locations, for applications that do not make the table by a migration of their own."""

T = TypeVar("T")

log = logging.getLogger(__name__)

_adapter = functools.cache(TypeAdapter)


class LedgerMixin:
    """The table: `class Operation(LedgerMixin, Base)`. A row is a change that has been made, and its result."""

    __tablename__ = "operation"

    operation_id: Mapped[str] = mapped_column(Text, primary_key=True)
    result: Mapped[Any] = mapped_column(JSON().with_variant(JSONB(), "postgresql"), nullable=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now(), index=True)


class Ledger:
    """Makes changes once. Threads and processes may share its table."""

    def __init__(self, model: type[LedgerMixin], sessions: Callable[[], AbstractContextManager[Session]]) -> None:
        """Use the table of this model, on sessions that `sessions` returns, such as an SQLAlchemy sessionmaker."""
        # The table and not the model: without the unit of work a statement costs half as much.
        self._table = cast(Table, model.__table__)  # type: ignore[attr-defined]
        self._sessions = sessions

    def once(self, ctx: restate.Context, change: Callable[[Session], T]) -> Callable[[], T]:
        """Return a step, for `ctx.run_typed`, that makes this change once, however often Restate runs it.

        The change says with its return annotation what it returns: a pydantic model, or anything that is JSON. Its
        name is the step's. What it raises is treated as the table in flask_restate.errors says.
        """
        # Restarted as new, or submitted again after Restate has forgotten its key, a call has another id.
        call = ctx.request().headers.get(OPERATION_HEADER) or ctx.request().id
        operation_id = f"{call}/{change.__name__}"

        def step() -> T:
            try:
                return self.apply(operation_id, change)
            except Exception as error:
                raise translate(error) from None

        # By it the SDK knows how to journal the result.
        step.__annotations__["return"] = _returned(change)
        return step

    def apply(self, operation_id: str, change: Callable[[Session], T]) -> T:
        """Make the change and return its result, or return the result of when it was made.

        Whatever the change raises, the row is looked for before that counts: a deleted todo is not found, and a unique
        value is taken, by the change's own first success. If the same step still runs elsewhere, in a process that was
        taken for dead, the database lets this one wait for that one's end.

        Raises what the change or the database raises; then nothing was changed, or it is not known.
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
                raise  # It cannot be asked either. The repeat will ask.
            except Exception:
                session.rollback()
                made = select(self._table.c.result).where(self._table.c.operation_id == operation_id)
                if found := session.execute(made).one_or_none():
                    return adapter.validate_python(found.result)
                raise

    def purge(self, older_than: timedelta, batch: int = 1000) -> int:
        """Delete rows that no repeat can need any more; return how many.

        In batches, each a transaction: one statement for a large backlog would run into the statement time-out.
        """
        old = select(self._table.c.operation_id).where(self._table.c.created_at < func.now() - older_than)
        # A row that another process deletes at this moment is not waited for.
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
        """Purge now and then again and again, for ever. For a thread of its own."""
        while True:
            try:
                if purged := self.purge(older_than):
                    log.info("purged %d rows of the ledger", purged)
            except SQLAlchemyError as error:
                log.warning("could not purge the ledger, will try again: %s", str(error).partition("\n")[0])
            time.sleep(interval.total_seconds())


def _returned(change: Callable[..., Any]) -> Any:  # noqa: ANN401 - a type
    hint = getattr(change, "__annotations__", {}).get("return", Any)
    return get_type_hints(change)["return"] if isinstance(hint, str) else hint
