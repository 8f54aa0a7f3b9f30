"""The ledger: a step changes the database once, even if Restate repeats it.

Restate writes a step's result to its journal after the step has committed. If the process dies in between, or the
database's answer to COMMIT is lost, Restate runs the step again:

    step ── change ── ledger row ── COMMIT ──┬── result into Restate's journal
      ▲                                      │
      └───────── run again ──────────────────┘   finds the row, returns its result

The row is written in the same transaction as the change, so either both exist or neither does.
"""

import functools
import json
import logging
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar, cast, get_type_hints
from weakref import WeakKeyDictionary

import restate
from pydantic import TypeAdapter
from restate.serde import DefaultSerde
from restate.types import extract_core_type
from sqlalchemy import JSON, DateTime, Engine, Table, Text, delete, func, insert, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, Session, mapped_column

from flask_restate import tracing
from flask_restate.errors import DATABASE_UNAVAILABLE, sqlstate, translated
from flask_restate.extension import OPERATION_HEADER

# A folder for Alembic's version_locations, for applications without a migration of their own for the table.
MIGRATIONS = Path(__file__).parent / "migrations"

T = TypeVar("T")

log = logging.getLogger(__name__)
_adapter = functools.cache(TypeAdapter)
_uses: WeakKeyDictionary[restate.Context, Counter[str]] = WeakKeyDictionary()


class LedgerMixin:
    """The table: `class Operation(LedgerMixin, Base)`. Each row is a change that was made, with its result."""

    __tablename__ = "operation"

    operation_id: Mapped[str] = mapped_column(Text, primary_key=True)
    result: Mapped[Any] = mapped_column(JSON().with_variant(JSONB(), "postgresql"), nullable=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now(), index=True)


class Ledger:
    """Makes each change once. `sessions` returns new sessions, as an SQLAlchemy sessionmaker does."""

    def __init__(self, model: type[LedgerMixin], sessions: Callable[[], AbstractContextManager[Session]]) -> None:
        # The table, not the model: a statement costs half as much without the unit of work.
        self._table = cast(Table, model.__table__)  # type: ignore[attr-defined]  # of a mapped subclass
        self._sessions = sessions

    def once(self, ctx: restate.Context, change: Callable[[Session], T]) -> Callable[[], T]:
        """Return a step for `ctx.run_typed` that makes this change once, however often Restate runs it.

        The change must not commit. Its return annotation is the type of the result: a pydantic model, or anything that
        is JSON. The tables in flask_restate.errors say what happens when it raises.
        """
        call = call_id(ctx)
        name = getattr(change, "__name__", type(change).__name__)
        # Each use of a name in a call is a step of its own. A repeated call uses them in the same order.
        uses = _uses.setdefault(ctx, Counter())
        uses[name] += 1
        operation_id = f"{call}/{name}" if uses[name] == 1 else f"{call}/{name}/{uses[name]}"
        hint = _returned(change)
        adapter: TypeAdapter[T] = _adapter(hint)
        serde: DefaultSerde[Any] = DefaultSerde(extract_core_type(hint)[1])

        def checked(session: Session) -> T:
            result = change(session)
            # The SDK cannot journal every type, and would say so only after the commit.
            serde.serialize(result)
            return result

        def step() -> T:
            return self.apply(operation_id, checked, adapter)

        # The SDK needs the annotation to journal the result; a trace shows the name.
        step.__annotations__["return"], step.__name__ = hint, name
        return translated(step)

    def apply(self, operation_id: str, change: Callable[[Session], T], adapter: TypeAdapter[T] | None = None) -> T:
        """Make the change and return its result; if it was made before, return the result from then.

        If the change raises, look for its row first: something may not be found, or a unique value be taken, because
        this change has already succeeded. If the same step still runs elsewhere, in a process that only seemed dead,
        the database makes this one wait until the other has ended, provided that both write the same row.

        Raises what the change or the database raises. Then nothing has changed, or it is unknown whether it has.
        """
        types: TypeAdapter[T] = adapter or _adapter(_returned(change))
        with self._sessions() as session:
            try:
                result = change(session)
                session.flush()
                stored = json.loads(types.dump_json(result, by_alias=True, round_trip=True))
                session.execute(insert(self._table), {"operation_id": operation_id, "result": stored})
                session.commit()
                return result
            except Exception as error:
                if isinstance(error, DATABASE_UNAVAILABLE) and not sqlstate(error):
                    raise  # The row cannot be looked up now. The next attempt will do it.
                session.rollback()
                made = select(self._table.c.result).where(self._table.c.operation_id == operation_id)
                if found := session.execute(made).one_or_none():
                    tracing.tell("ledger hit")
                    return types.validate_json(json.dumps(found.result))
                raise

    def forget_connections(self) -> None:
        """Leave the connections of the pool to the process from which this one was forked."""
        with self._sessions() as session:
            cast(Engine, session.get_bind()).dispose(close=False)

    def purge(self, older_than: timedelta, batch: int = 1000) -> int:
        """Delete rows that no repeat can need any more, and return how many.

        Each batch is a transaction: a single statement for a large backlog would exceed the statement time-out.
        """
        column = self._table.c
        old = select(column.operation_id).where(column.created_at < func.now() - older_than).limit(batch)
        # Do not wait for rows that another process is deleting.
        ids = old.with_for_update(skip_locked=True)
        purged, count = 0, batch
        while count == batch:
            with self._sessions() as session:
                deletion = delete(self._table).where(column.operation_id.in_(ids)).returning(column.operation_id)
                count = len(session.execute(deletion).all())
                session.commit()
            purged += count
        return purged

    def keep_purged(self, older_than: timedelta, interval: timedelta = timedelta(minutes=10)) -> None:
        """Purge now and then at every interval, for ever. Run this in a thread of its own."""
        while True:
            try:
                if purged := self.purge(older_than):
                    log.info("purged %d rows from the ledger", purged)
            except SQLAlchemyError as error:
                log.warning("could not purge the ledger, will retry: %s", str(error).partition("\n")[0])
            # The interval itself: there is nothing to wait for.
            time.sleep(interval.total_seconds())


def call_id(ctx: restate.Context) -> str:
    """Return what stays the same when a call is restarted as new, or sent again after Restate has forgotten its key."""
    return ctx.request().headers.get(OPERATION_HEADER) or ctx.request().id


def _returned(change: Callable[..., Any]) -> object:
    hint = getattr(change, "__annotations__", {}).get("return", Any)
    try:
        return get_type_hints(change)["return"] if isinstance(hint, str) else hint
    except NameError:
        return Any
