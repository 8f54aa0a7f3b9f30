"""The page of one todo, with what it carries."""

from datetime import datetime
from zoneinfo import ZoneInfo

from flask import render_template, session

from todo_shared import operations
from todo_shared.features import meeting, payment, reminder, watcher
from todo_shared.features.forms import BountyForm, MeetingForm, ReminderForm, WatcherForm
from todo_shared.features.moments import zones
from todo_shared.features.money import shown
from todo_shared.features.schemas import STEPS
from todo_shared.forms import TodoForm, for_forms
from todo_shared.models import db


def todo_page(todo_id: int, form: TodoForm | None = None, message: str = "") -> str:
    """Return the page of a todo; a form that was not accepted is shown as it was submitted, with the message."""
    todo = operations.find(db.session, todo_id)
    page = render_template(
        "todo.html",
        todo=todo,
        message=message,
        bounty=payment.find_bounty(db.session, todo_id),
        payment=payment.latest_payment(db.session, todo_id),
        watcher=watcher.find_watcher(db.session, todo_id),
        reminder=reminder.find_reminder(db.session, todo_id),
        bounty_form=form if isinstance(form, BountyForm) else BountyForm(formdata=None),
        watcher_form=form if isinstance(form, WatcherForm) else WatcherForm(formdata=None),
        reminder_form=form if isinstance(form, ReminderForm) else ReminderForm(formdata=None, zone=_zone()),
        local=local_time,
        meeting=meeting.find_meeting(db.session, todo_id),
        meeting_form=form if isinstance(form, MeetingForm) else MeetingForm(formdata=None, zone=_zone()),
        meeting_steps=STEPS,
        shown=shown,
        **for_forms(form),
    )
    db.session.commit()
    return page


def remember_zone(name: str) -> None:
    """Show times in this zone, which the user has named, from now on."""
    session["zone"] = name


def _zone() -> str:
    name = session.get("zone", "UTC")
    return name if name in zones() else "UTC"


def local_time(moment: datetime) -> str:
    """Return a moment as the user's clock shows it."""
    return f"{moment.astimezone(ZoneInfo(_zone())):%Y-%m-%d %H:%M:%S} {_zone()}"
