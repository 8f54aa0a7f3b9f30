"""The ledger: makes a step that Restate repeats change the database once.

Restate writes a step's result into its journal after the step has committed. If the process dies in between,
or the database's answer to COMMIT is lost, the step is run again. So the step leaves a row in table `operation`
in the same transaction as its change: either both are there or neither is, and a repeat finds the row.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from flask_todo_restate.services.database import sessions
from todo_shared.models import Operation

Change = Callable[[Session], Any]
"""Changes the database on a session and returns a result that can be JSON."""


def once(operation_id: str, change: Change) -> Any:  # noqa: ANN401 - any JSON
    """Make the change and return its result (JSON), or return the result of when it was made.

    The row comes first. If the same step still runs elsewhere, in a process that was taken for dead or on a connection
    that was given up, this one waits for the other's end before it looks at any todo: a repeated deletion must not
    find that its todo has just been deleted by itself.

    Raises:
        Exception: whatever the change or the database raises; then nothing was changed, or it is not known.

    """
    claim = (
        insert(Operation).values(operation_id=operation_id).on_conflict_do_nothing().returning(Operation.operation_id)
    )
    with sessions().begin() as session:
        if session.scalar(claim) is None:
            return session.get_one(Operation, operation_id).result
        result = change(session)
        if result is not None:
            session.execute(update(Operation).where(Operation.operation_id == operation_id).values(result=result))
        return result


def purge(older_than: timedelta) -> int:
    """Delete rows that no repeat can need any more; return how many."""
    with sessions().begin() as session:
        old = delete(Operation).where(Operation.created_at < func.now() - older_than).returning(Operation.operation_id)
        return len(session.scalars(old).all())
