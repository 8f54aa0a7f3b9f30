"""The ledger: makes a step that Restate repeats change the database once.

Restate writes a step's result into its journal after the step has committed. If the process dies in between,
or the database's answer to COMMIT is lost, the step is run again. So the step leaves a row in table `operation`
in the same transaction as its change: either both are there or neither is, and a repeat finds the row.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

from sqlalchemy import Table, bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from flask_todo_restate.services.database import sessions
from todo_shared.models import Operation

Change = Callable[[Session], Any]
"""Changes the database on a session and returns a result that can be JSON."""

# On the table, not on the model: without the unit of work a statement costs half as much.
_OPERATION = cast(Table, Operation.__table__)
_RECORD = insert(_OPERATION).on_conflict_do_nothing().returning(_OPERATION.c.operation_id)
_MADE = select(_OPERATION.c.result).where(_OPERATION.c.operation_id == bindparam("of"))


def once(operation_id: str, change: Change) -> Any:  # noqa: ANN401 - any JSON
    """Make the change and return its result (JSON), or return the result of when it was made.

    The row comes last, with the result in it. If the same step still runs elsewhere, in a process that was taken for
    dead or on a connection that was given up, PostgreSQL lets this one wait for the other's end: at the todo that both
    change, or else at the row. When the other has committed, this one takes back what it did and finds the result.

    Raises:
        Exception: whatever the change or the database raises; then nothing was changed, or it is not known.

    """
    with sessions()() as session:
        try:
            result = change(session)
        except SQLAlchemyError:
            raise
        except Exception:
            # A repeated deletion does not find its todo: it has deleted it itself.
            session.rollback()
            if made := session.execute(_MADE, {"of": operation_id}).one_or_none():
                return made.result
            raise
        if session.scalar(_RECORD, {"operation_id": operation_id, "result": result}) is None:
            session.rollback()
            return session.execute(_MADE, {"of": operation_id}).one().result
        session.commit()
        return result


def purge(older_than: timedelta) -> int:
    """Delete rows that no repeat can need any more; return how many."""
    with sessions().begin() as session:
        old = delete(Operation).where(Operation.created_at < func.now() - older_than).returning(Operation.operation_id)
        return len(session.scalars(old).all())
