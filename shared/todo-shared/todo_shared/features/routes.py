"""The routes of the features, the same in both twins; what they write, each twin does in its own way."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Blueprint, jsonify, redirect, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import UnprocessableEntity

from todo_shared import operations
from todo_shared.features import meeting, payment, reminder, watcher
from todo_shared.features.errors import NotSetError
from todo_shared.features.forms import BountyForm, FeatureForm, MeetingForm, PlainForm, ReminderForm, WatcherForm
from todo_shared.features.pages import remember_zone, todo_page
from todo_shared.features.schemas import (
    BountyBody,
    BountyRequest,
    MeetingBody,
    MeetingData,
    MeetingRequest,
    PaymentData,
    ReminderBody,
    ReminderJson,
    ReminderRequest,
    WatcherBody,
    WatcherData,
    WatcherRequest,
)
from todo_shared.features.webhook import ForbiddenAddressError, refuse_forbidden
from todo_shared.forms import TodoForm, form_at
from todo_shared.json_api import read_body, read_idempotency_key
from todo_shared.list_view import back_to_todo
from todo_shared.models import db
from todo_shared.schemas import TodoItemRequest

Found = TypeVar("Found")

TODO = "/todos/<int:todo_id>"


@dataclass(frozen=True)
class Writes:
    """How a twin makes each write: from its message and the key of the request to what the API shows."""

    set_bounty: Callable[[BountyRequest, str], BountyBody]
    drop_bounty: Callable[[TodoItemRequest, str], None]
    pay: Callable[[TodoItemRequest, str], PaymentData]
    refund: Callable[[TodoItemRequest, str], PaymentData]
    set_watcher: Callable[[WatcherRequest, str], WatcherData]
    drop_watcher: Callable[[TodoItemRequest, str], None]
    set_reminder: Callable[[ReminderRequest, str], ReminderJson]
    cancel_reminder: Callable[[TodoItemRequest, str], None]
    plan_meeting: Callable[[MeetingRequest, str], MeetingData]
    cancel_meeting: Callable[[TodoItemRequest, str], None]


def add_pages(pages: Blueprint, writes: Writes, typed: Callable[[], TodoForm | None] = lambda: None) -> None:
    """Add the page of a todo and its forms to a twin's pages; `typed` is the form to show again as it was typed."""

    @pages.get(TODO)
    def show_todo(todo_id: int) -> ResponseReturnValue:
        """Show a todo with what it carries."""
        return todo_page(todo_id, typed())

    def add(path: str, kind: type[FeatureForm], write: Callable[[int, Any, str], object]) -> None:
        """Add a form: when it is accepted, write, and go back to the todo."""

        def view(todo_id: int) -> ResponseReturnValue:
            form = kind()
            write(todo_id, form, form.accept())
            return redirect(back_to_todo(todo_id))

        name = path.strip("/").replace("/", "_")
        pages.add_url_rule(f"{TODO}{path}", f"{name}_form", view, methods=["POST"])
        form_at(f"{name}_form", kind)

    def set_bounty(todo_id: int, form: BountyForm, key: str) -> None:
        writes.set_bounty(BountyRequest(todo_id=todo_id, **form.bounty.model_dump()), key)

    add("/bounty", BountyForm, set_bounty)
    add("/bounty/delete", PlainForm, lambda todo_id, _, key: writes.drop_bounty(TodoItemRequest(todo_id=todo_id), key))
    add("/bounty/payment", PlainForm, lambda todo_id, _, key: writes.pay(TodoItemRequest(todo_id=todo_id), key))
    add("/bounty/refund", PlainForm, lambda todo_id, _, key: writes.refund(TodoItemRequest(todo_id=todo_id), key))

    def set_watcher(todo_id: int, form: WatcherForm, key: str) -> None:
        writes.set_watcher(WatcherRequest(todo_id=todo_id, url=str(form.url.data)), key)

    def set_reminder(todo_id: int, form: ReminderForm, key: str) -> None:
        remember_zone(str(form.zone.data).strip())
        writes.set_reminder(ReminderRequest(todo_id=todo_id, **form.moment()), key)

    def drop_watcher(todo_id: int, _: PlainForm, key: str) -> None:
        writes.drop_watcher(TodoItemRequest(todo_id=todo_id), key)

    def cancel_reminder(todo_id: int, _: PlainForm, key: str) -> None:
        writes.cancel_reminder(TodoItemRequest(todo_id=todo_id), key)

    add("/watcher", WatcherForm, set_watcher)
    add("/watcher/delete", PlainForm, drop_watcher)
    add("/reminder", ReminderForm, set_reminder)
    add("/reminder/delete", PlainForm, cancel_reminder)

    def plan_meeting(todo_id: int, form: MeetingForm, key: str) -> None:
        remember_zone(str(form.zone.data).strip())
        writes.plan_meeting(MeetingRequest(todo_id=todo_id, **form.meeting.model_dump()), key)

    def cancel_meeting(todo_id: int, _: PlainForm, key: str) -> None:
        writes.cancel_meeting(TodoItemRequest(todo_id=todo_id), key)

    add("/meeting", MeetingForm, plan_meeting)
    add("/meeting/delete", PlainForm, cancel_meeting)


def add_api(api: Blueprint, writes: Writes) -> None:
    """Add the sub-resources of a todo to a twin's API."""

    @api.put(f"{TODO}/bounty")
    def set_bounty(todo_id: int) -> ResponseReturnValue:
        """Set what is paid for a todo."""
        body = read_body(BountyBody)
        bounty = BountyRequest(todo_id=todo_id, **body.model_dump())
        return jsonify(writes.set_bounty(bounty, read_idempotency_key()).model_dump(include={"amount", "currency"}))

    @api.get(f"{TODO}/bounty")
    def read_bounty(todo_id: int) -> ResponseReturnValue:
        """Return what is paid for a todo."""
        found = of_todo(todo_id, payment.find_bounty, "There is no bounty on this todo.")
        return jsonify(BountyBody.model_validate(found).model_dump())

    @api.delete(f"{TODO}/bounty")
    def drop_bounty(todo_id: int) -> ResponseReturnValue:
        """Take the bounty off a todo."""
        writes.drop_bounty(TodoItemRequest(todo_id=todo_id), read_idempotency_key())
        return "", 204

    @api.post(f"{TODO}/bounty/payment")
    def pay_bounty(todo_id: int) -> ResponseReturnValue:
        """Pay the bounty, once."""
        paid = writes.pay(TodoItemRequest(todo_id=todo_id), read_idempotency_key())
        location = url_for("api.read_payment", todo_id=todo_id, _external=True)
        return jsonify(paid.model_dump()), 201, {"Location": location}

    @api.get(f"{TODO}/bounty/payment")
    def read_payment(todo_id: int) -> ResponseReturnValue:
        """Return the latest payment of the bounty."""
        found = of_todo(todo_id, payment.latest_payment, "The bounty was never paid.")
        return jsonify(PaymentData.model_validate(found).model_dump())

    @api.post(f"{TODO}/bounty/refund")
    def refund_bounty(todo_id: int) -> ResponseReturnValue:
        """Give the money back."""
        return jsonify(writes.refund(TodoItemRequest(todo_id=todo_id), read_idempotency_key()).model_dump())

    @api.put(f"{TODO}/watcher")
    def set_watcher(todo_id: int) -> ResponseReturnValue:
        """Let a URL be called when the todo is completed."""
        body = read_body(WatcherBody)
        key = read_idempotency_key()
        try:
            refuse_forbidden(body.url)
        except ForbiddenAddressError as error:
            raise UnprocessableEntity(f"url: {error}") from None
        return jsonify(writes.set_watcher(WatcherRequest(todo_id=todo_id, url=body.url), key).model_dump(mode="json"))

    @api.get(f"{TODO}/watcher")
    def read_watcher(todo_id: int) -> ResponseReturnValue:
        """Return who is called when the todo is completed, and how the last call went."""
        found = of_todo(todo_id, watcher.find_watcher, watcher.NONE)
        return jsonify(WatcherData.model_validate(found).model_dump(mode="json"))

    @api.delete(f"{TODO}/watcher")
    def drop_watcher(todo_id: int) -> ResponseReturnValue:
        """Let nobody be called."""
        writes.drop_watcher(TodoItemRequest(todo_id=todo_id), read_idempotency_key())
        return "", 204

    @api.put(f"{TODO}/reminder")
    def set_reminder(todo_id: int) -> ResponseReturnValue:
        """Set when to be reminded of the todo; this replaces an earlier reminder."""
        body = read_body(ReminderBody)
        request = ReminderRequest(todo_id=todo_id, **body.model_dump())
        return jsonify(writes.set_reminder(request, read_idempotency_key()).model_dump(mode="json"))

    @api.get(f"{TODO}/reminder")
    def read_reminder(todo_id: int) -> ResponseReturnValue:
        """Return the reminder of the todo, and whether it was sent."""
        found = of_todo(todo_id, reminder.find_reminder, reminder.NONE)
        return jsonify(ReminderJson.model_validate(found).model_dump(mode="json"))

    @api.delete(f"{TODO}/reminder")
    def cancel_reminder(todo_id: int) -> ResponseReturnValue:
        """Cancel the reminder, or take away one that was sent."""
        writes.cancel_reminder(TodoItemRequest(todo_id=todo_id), read_idempotency_key())
        return "", 204

    @api.post(f"{TODO}/meeting")
    def plan_meeting(todo_id: int) -> ResponseReturnValue:
        """Plan a meeting about a todo: all of it, or nothing."""
        plan = MeetingRequest(todo_id=todo_id, **read_body(MeetingBody).model_dump())
        planned = writes.plan_meeting(plan, read_idempotency_key())
        location = url_for("api.read_meeting", todo_id=todo_id, _external=True)
        return jsonify(planned.model_dump(mode="json")), 201, {"Location": location}

    @api.get(f"{TODO}/meeting")
    def read_meeting(todo_id: int) -> ResponseReturnValue:
        """Return the latest meeting about a todo, and how far it is."""
        found = of_todo(todo_id, meeting.find_meeting, "There is no meeting about this todo.")
        return jsonify(MeetingData.model_validate(found).model_dump(mode="json"))

    @api.delete(f"{TODO}/meeting")
    def cancel_meeting(todo_id: int) -> ResponseReturnValue:
        """Cancel the meeting about a todo, planned or not yet."""
        writes.cancel_meeting(TodoItemRequest(todo_id=todo_id), read_idempotency_key())
        return "", 204


def of_todo(todo_id: int, find: Callable[[operations.AnySession, int], Found | None], missing: str) -> Found:
    """Return what a todo carries. Raises operations.TodoNotFoundError, or NotSetError with these words."""
    operations.find(db.session, todo_id)
    found = find(db.session, todo_id)
    if found is None:
        raise NotSetError(missing)
    return found
