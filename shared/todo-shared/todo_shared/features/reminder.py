"""The reminder of a todo, on a session. These functions do not commit: the caller does.

All times are by the clock of the process that sets or sends; the database is not asked for the time.
"""

from datetime import datetime

import requests
from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from todo_shared import operations
from todo_shared.features.errors import NotSetError
from todo_shared.features.outside import OutsideRefusedError, OutsideWorld, outside_settings
from todo_shared.models import Reminder, Todo
from todo_shared.operations import AnySession
from todo_shared.outages import Outage

NONE = "There is no reminder of this todo."
SUBJECT_MAX_LENGTH = 200

OVERDUE = """
    SELECT coalesce(extract(epoch FROM now() - min(at)), 0) FROM reminder WHERE sent_at IS NULL AND at < now()
"""
"""For how many seconds the oldest mail has been due that was not sent; 0 without one."""

mailbox = Outage("the mailbox")


def find_reminder(session: AnySession, todo_id: int) -> Reminder | None:
    """Return a todo's reminder, if it has one."""
    return session.get(Reminder, todo_id) if operations.is_storable(todo_id) else None


def set_reminder(session: AnySession, todo_id: int, reminder_id: str, at: datetime) -> None:
    """Set a reminder with this new id, in the place of another; raises operations.TodoNotFoundError."""
    operations.lock(session, todo_id)
    values = {"id": reminder_id, "at": at, "sent_at": None}
    new = insert(Reminder).values(todo_id=todo_id, **values)
    session.execute(new.on_conflict_do_update(index_elements=["todo_id"], set_=values))


def cancel_reminder(session: AnySession, todo_id: int) -> None:
    """Take the reminder away, sent or not. Raises NotSetError."""
    storable = operations.is_storable(todo_id)
    cancelled = delete(Reminder).where(Reminder.todo_id == todo_id).returning(Reminder.id)
    if not storable or session.scalar(cancelled) is None:
        raise NotSetError(NONE)


def next_due(session: AnySession, now: datetime, others: set[str]) -> str | None:
    """Return the id of a reminder that is due and nobody else is sending, locked; none of these others."""
    due = select(Reminder.id).where(Reminder.at <= now, Reminder.sent_at.is_(None), Reminder.id.not_in(others))
    return session.scalar(due.order_by(Reminder.at).limit(1).with_for_update(skip_locked=True))


def mail(session: AnySession, world: OutsideWorld, reminder_id: str) -> bool:
    """Mail a reminder, and return whether there was one to mail: not if it was changed, cancelled or sent.

    Its row is locked until the transaction ends, so nobody is told meanwhile that it is changed or cancelled.
    Raises as OutsideWorld.post() does.
    """
    wanted = select(Todo.id, Todo.task).join(Reminder, Reminder.todo_id == Todo.id)
    wanted = wanted.where(Reminder.id == reminder_id, Reminder.sent_at.is_(None)).with_for_update(of=Reminder)
    found = session.execute(wanted).one_or_none()
    if found is None:
        return False
    todo_id, task = found
    subject = f"Reminder: {task}"[:SUBJECT_MAX_LENGTH]
    body = {"to": outside_settings().mail_to, "subject": subject, "text": task, "reference": world.reference(todo_id)}
    with mailbox.watched(requests.RequestException, OutsideRefusedError):
        world.post("/mail", body, key=reminder_id)
    return True


def mark_sent(session: AnySession, reminder_id: str, now: datetime) -> None:
    """Record that a reminder was mailed."""
    session.execute(update(Reminder).where(Reminder.id == reminder_id).values(sent_at=now))
