"""Remind me: an object per todo, which sends itself a call that is made when the reminder is due."""

import functools
import threading
from datetime import UTC, datetime, timedelta

import requests
import restate
from sqlalchemy.orm import Session

from flask_restate import durable_object, retry_after, to_its_end, translated
from flask_todo_restate.services.database import ledger, sessions
from todo_shared.features import reminder
from todo_shared.features.outside import OutsideRefusedError, OutsideWorld
from todo_shared.features.schemas import DueRequest, ReminderJson, ReminderRequest
from todo_shared.schemas import TodoItemRequest
from todo_shared.settings import DatabaseSettings, load
from todo_shared.thread_pool import aside

AT_ONCE = timedelta(0)
AGAIN = timedelta(seconds=1)
REFUSED = timedelta(minutes=1)

TURN_SECONDS = 0.05
"""How long one that is due waits for its turn at the mailbox, in a thread, before it comes again later."""

world = OutsideWorld("restate")
reminder_object = durable_object("ReminderObject")


@functools.cache
def _turns() -> threading.Semaphore:
    """Return the turns at the mailbox: each has a connection while that takes its time, and other steps need some."""
    return threading.BoundedSemaphore(max(1, load(DatabaseSettings).db_pool_size // 2))


@reminder_object.handler()
async def set_reminder(ctx: restate.ObjectContext, req: ReminderRequest) -> ReminderJson:
    """Set the reminder, and let it be due in time."""

    now = datetime.fromtimestamp(await ctx.time(), UTC)
    new = DueRequest(todo_id=req.todo_id, id=str(ctx.uuid()), at=req.moment(now))

    def db_reminder(session: Session) -> DueRequest:
        reminder.set_reminder(session, new.todo_id, new.id, new.at)
        return new

    # If this was done before, and is only called anew, the ledger has the reminder of then.
    stored = await to_its_end(ctx.run_typed("db_reminder", ledger.once(ctx, db_reminder)))
    ctx.object_send(due, ctx.key(), stored, send_delay=max(stored.at - now, AT_ONCE))
    return ReminderJson(at=stored.at)


@reminder_object.handler()
async def cancel_reminder(ctx: restate.ObjectContext, req: TodoItemRequest) -> None:
    """Cancel the reminder. The call that is to be made when it is due will find nothing."""

    def db_cancel(session: Session) -> None:
        reminder.cancel_reminder(session, req.todo_id)

    await ctx.run_typed("db_cancel", ledger.once(ctx, db_cancel))


@reminder_object.handler()
async def due(ctx: restate.ObjectContext, req: DueRequest) -> None:
    """Mail the reminder, unless it was changed or cancelled.

    If the mailbox does not take it now, this is called again: meanwhile the object is free to change or cancel it.
    """

    def mail() -> float | None:
        """Return in how many seconds to try again: 0 if it was mailed, None if there is nothing to mail."""
        turns = _turns()
        with aside():
            has_turn = turns.acquire(timeout=TURN_SECONDS)
        if not has_turn:
            return AGAIN.total_seconds()
        try:
            with sessions()() as session:
                return 0 if reminder.mail(session, world, req.id) else None
        except OutsideRefusedError:
            return REFUSED.total_seconds()
        except requests.RequestException as error:
            return (retry_after(error) or AGAIN).total_seconds()
        finally:
            turns.release()

    def db_sent(session: Session) -> None:
        reminder.mark_sent(session, req.id, sent_at)

    again = await to_its_end(ctx.run_typed("mail", translated(mail)))
    if again:
        ctx.object_send(due, ctx.key(), req, send_delay=timedelta(seconds=again))
    elif again is not None:
        sent_at = datetime.fromtimestamp(await ctx.time(), UTC)
        await to_its_end(ctx.run_typed("db_sent", ledger.once(ctx, db_sent)))
