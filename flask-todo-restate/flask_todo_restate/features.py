"""The features: each write is a call of a handler."""

from collections.abc import Callable
from typing import TypeVar

from flask_restate.extension import Handles
from flask_todo_restate.outcomes import restate
from flask_todo_restate.services import meeting, notification, payment, reminder
from todo_shared.features.routes import Writes
from todo_shared.schemas import TodoItemRequest

Message = TypeVar("Message", bound=TodoItemRequest)
Result = TypeVar("Result")


def _durable(handler: Handles[Message, Result]) -> Callable[[Message, str], Result]:
    """Return it as a write: a call with the key of its request, of the todo's own object."""
    return lambda message, key: restate.call(handler, message, key, object_key=str(message.todo_id))


WRITES = Writes(
    set_bounty=_durable(payment.set_bounty),
    drop_bounty=_durable(payment.drop_bounty),
    pay=_durable(payment.pay),
    refund=_durable(payment.refund),
    set_watcher=_durable(notification.set_watcher),
    drop_watcher=_durable(notification.drop_watcher),
    set_reminder=_durable(reminder.set_reminder),
    cancel_reminder=_durable(reminder.cancel_reminder),
    plan_meeting=_durable(meeting.plan_meeting),
    cancel_meeting=_durable(meeting.cancel_meeting),
)
