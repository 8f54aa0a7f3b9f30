"""What a scrape asks Restate's own tables and the ledger, in addition to what both twins measure."""

from collections.abc import Iterator
from datetime import UTC, datetime

from flask_todo_restate.pending import HANDLERS, PENDING, UNREACHABLE, Pending
from flask_todo_restate.services.database import Operation
from todo_shared.metrics import Asked, Measured

# Neither a database nor a server that asks to wait: see flask_restate.errors, which writes these.
_LASTS = r"'^\[[^]]*\] (TemporaryError\(|[0-9]{3} )'"
# A reminder of next week is not late.
_SINCE = "coalesce(scheduled_start_at, created_at)"
# A webhook that does not answer is its watcher's own affair, and anybody can have one.
_UNHEARD = "target_handler_name = 'notify' AND last_failure IS NOT NULL"
# What users wait for, and what else has failed so far: nobody sees that a mail or an undoing is repeated for ever.
_LATE = f"""{_SINCE} < now() - INTERVAL '1 second'
    AND (target_handler_name IN ({HANDLERS}) OR last_failure IS NOT NULL AND target_handler_name <> 'notify')"""
_FAILS = f"""status != 'paused' AND last_failure IS NOT NULL AND NOT regexp_like(last_failure, {_LASTS})
    AND coalesce(last_failure_error_code, '') != '{UNREACHABLE}'"""
_CALLS = f"""
    SELECT count(CASE WHEN {_LATE} THEN 1 END) AS late, min(CASE WHEN {_LATE} THEN {_SINCE} END) AS since,
      count(CASE WHEN {_UNHEARD} THEN 1 END) AS unheard,
      count(CASE WHEN status = 'paused' THEN 1 END) AS paused, count(CASE WHEN {_FAILS} THEN 1 END) AS failing,
      now() AS now
    FROM sys_invocation WHERE {PENDING}
"""  # noqa: S608 - nothing in it comes from outside

# Counted while that is quick; then as the database itself estimates it.
_ROWS = f"""
    SELECT CASE WHEN reltuples < 100000 THEN (SELECT count(*) FROM {Operation.__tablename__}) ELSE reltuples END
    FROM pg_class WHERE oid = '{Operation.__tablename__}'::regclass
"""  # noqa: S608 - as above


def _moment(told: str) -> datetime:
    # Both by Restate's clock, which shows UTC; not all say so.
    return datetime.fromisoformat(told).replace(tzinfo=UTC)


def ask(asked: Asked, pending: Pending) -> None:
    """Let a scrape ask for the calls that wait, as `pending` knows where to ask, and for the rows of the ledger."""

    def calls() -> Iterator[Measured]:
        (row,) = pending.query(_CALLS)
        age = (_moment(row["now"]) - _moment(row["since"])).total_seconds() if row.get("since") else 0
        yield Measured("todo_pending_writes", "Writes that wait, and what follows from others and fails.", row["late"])
        yield Measured("todo_pending_oldest_seconds", "How long the oldest of them has waited.", age)
        yield Measured("todo_failing_webhooks", "Webhooks that did not answer, and are called again.", row["unheard"])
        for reason in ("paused", "failing"):
            about = "Calls that wait for somebody: they are paused, or our own code fails."
            yield Measured("todo_stuck_calls", about, row[reason], {"reason": reason})

    asked.parts["restate"] = calls
    asked.statements["todo_ledger_rows"] = ("Rows of the ledger.", _ROWS)
