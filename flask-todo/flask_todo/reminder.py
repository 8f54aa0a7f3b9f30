"""Remind me: a job in each process looks once a second for reminders that are due, and mails them."""

import logging
import uuid
from contextlib import suppress

import requests
from apscheduler.schedulers.background import BackgroundScheduler
from flask import Flask

from todo_shared.features import reminder
from todo_shared.features.moments import now
from todo_shared.features.outside import OutsideRefusedError, OutsideWorld
from todo_shared.features.schemas import ReminderJson, ReminderRequest
from todo_shared.models import db
from todo_shared.models.database import DATABASE_ERRORS
from todo_shared.schemas import TodoItemRequest

world = OutsideWorld("plain")


def set_reminder(req: ReminderRequest) -> ReminderJson:
    """Set the reminder."""
    at = req.moment(now())
    reminder.set_reminder(db.session, req.todo_id, str(uuid.uuid4()), at)
    db.session.commit()
    return ReminderJson(at=at)


def cancel_reminder(req: TodoItemRequest) -> None:
    """Cancel the reminder."""
    reminder.cancel_reminder(db.session, req.todo_id)
    db.session.commit()


def send_due(app: Flask) -> None:
    """Mail what is due, each in a transaction of its own; what fails is tried again a second later."""
    failed: set[str] = set()
    with app.app_context(), suppress(*DATABASE_ERRORS):
        while due := reminder.next_due(db.session, now(), failed):
            try:
                reminder.mail(db.session, world, due)
            except (OutsideRefusedError, requests.RequestException):
                # The others shall not wait for it.
                failed.add(due)
                db.session.rollback()
            else:
                reminder.mark_sent(db.session, due, now())
                db.session.commit()


def start(app: Flask) -> None:
    """Look for reminders from now on, in a thread of this process."""
    # A mailbox that is slow lets a look be skipped, which is no news.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    scheduler = BackgroundScheduler(timezone="UTC", daemon=True)
    scheduler.add_job(send_due, "interval", [app], seconds=1, coalesce=True, max_instances=1, misfire_grace_time=None)
    scheduler.start()
