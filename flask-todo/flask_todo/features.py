"""The features: each write is done at once, in the request."""

from collections.abc import Callable
from typing import TypeVar

from flask_todo import meeting, notification, payment, reminder
from todo_shared.features.routes import Writes

Message = TypeVar("Message")
Result = TypeVar("Result")


def _now(write: Callable[[Message], Result]) -> Callable[[Message, str], Result]:
    """Return it as a write that has no use for the key of its request."""
    return lambda message, _key: write(message)


WRITES = Writes(
    set_bounty=_now(payment.set_bounty),
    drop_bounty=_now(payment.drop_bounty),
    pay=_now(payment.pay),
    refund=_now(payment.refund),
    set_watcher=_now(notification.set_watcher),
    drop_watcher=_now(notification.drop_watcher),
    set_reminder=_now(reminder.set_reminder),
    cancel_reminder=_now(reminder.cancel_reminder),
    plan_meeting=_now(meeting.plan_meeting),
    cancel_meeting=_now(meeting.cancel_meeting),
)
