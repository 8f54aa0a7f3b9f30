"""The HTML forms of the features."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from flask_wtf import FlaskForm
from pydantic import TypeAdapter, ValidationError
from wtforms import EmailField, Field, SelectField, StringField
from wtforms.validators import StopValidation

from todo_shared.features import moments
from todo_shared.features.errors import RefusedError
from todo_shared.features.moments import LONGEST, ahead, known_zone, of_zone
from todo_shared.features.money import CURRENCIES, smallest_units
from todo_shared.features.schemas import BountyBody, Mail, MeetingBody, Minutes, Room
from todo_shared.features.webhook import clean_url, refuse_forbidden
from todo_shared.forms import TodoForm


class FeatureForm(TodoForm):
    """A form of a todo's own page. One that was not accepted is shown there as it was submitted."""


class PlainForm(FeatureForm):
    """A button."""


def _amount(form: FlaskForm, field: Field) -> None:
    try:
        smallest_units(field.data or "", form["currency"].data or "")
    except ValueError as error:
        raise StopValidation(str(error)) from None


class BountyForm(FeatureForm):
    """Set the bounty."""

    amount = StringField("Amount", [_amount], render_kw={"required": True, "inputmode": "decimal"})
    currency = SelectField("Currency", choices=[(code, code) for code in CURRENCIES], default="EUR")

    @property
    def bounty(self) -> BountyBody:
        """The bounty, after the form was accepted."""
        currency = str(self.currency.data)
        return BountyBody(amount=smallest_units(self.amount.data or "", currency), currency=currency)


def _webhook(_form: FlaskForm, field: Field) -> None:
    try:
        url = clean_url(field.data or "")
        refuse_forbidden(url)
    except (ValueError, RefusedError) as error:
        raise StopValidation(str(error)) from None


class WatcherForm(FeatureForm):
    """Set the watcher."""

    url = StringField("Webhook", [_webhook], render_kw={"required": True, "type": "url"})


class ReminderForm(FeatureForm):
    """Set the reminder, at a time or in some minutes."""

    at = StringField("At", render_kw={"type": "datetime-local"})
    zone = StringField("Time zone", default="UTC", render_kw={"title": "Such as UTC or Europe/Berlin"})
    minutes = StringField("or in minutes", render_kw={"inputmode": "numeric"})

    def validate(self, extra_validators: Mapping[str, Sequence[Any]] | None = None) -> bool:
        """Validate the submitted fields: one of both times."""
        valid = super().validate(extra_validators)
        try:
            self.moment()
        except ValueError as error:
            self.at.errors = [str(error)]
        return valid and not self.errors

    def moment(self) -> dict[str, Any]:
        """Return the time as the message has it. Raises ValueError: it is none."""
        at, minutes = (self.at.data or "").strip(), (self.minutes.data or "").strip()
        zone = known_zone(self.zone.data or "")
        if bool(at) == bool(minutes):
            raise ValueError("Give either a time or a number of minutes.")
        if at:
            return {"at": ahead(of_zone(at, zone))}
        if not re.fullmatch("[0-9]{1,9}", minutes, re.ASCII) or int(minutes) * 60 > LONGEST.total_seconds():
            raise ValueError("Minutes are a whole number, of ten years at most.")
        return {"in_seconds": int(minutes) * 60}


class _Is:
    """Validates a field as JSON would be, makes it what that would be, and says what it is."""

    def __init__(self, what: str, adapter: TypeAdapter[Any]) -> None:
        self._what, self._adapter = what, adapter

    def __call__(self, _form: FlaskForm, field: Field) -> None:
        try:
            field.data = self._adapter.validate_python((field.data or "").strip())
        except ValidationError as error:
            reason = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise StopValidation(f"{self._what}: {reason}") from None


def _start(form: FlaskForm, field: Field) -> None:
    try:
        moments.ahead(moments.of_zone(field.data or "", form["zone"].data or ""))
    except ValueError as error:
        raise StopValidation(f"Start: {error}") from None


class MeetingForm(FeatureForm):
    """Plan a meeting."""

    start = StringField("Start", [_start], render_kw={"required": True, "type": "datetime-local"})
    zone = StringField("Time zone", default="UTC", render_kw={"title": "Such as UTC or Europe/Berlin"})
    minutes = StringField(
        "Minutes", [_Is("Minutes", TypeAdapter(Minutes))], default="30", render_kw={"inputmode": "numeric"}
    )
    room = StringField("Room", [_Is("Room", TypeAdapter(Room))], render_kw={"required": True})
    invite = EmailField("Invite", [_Is("Invite", TypeAdapter(Mail))], render_kw={"required": True})

    @property
    def meeting(self) -> MeetingBody:
        """The meeting, after the form was accepted."""
        start = moments.shown(moments.of_zone(self.start.data or "", self.zone.data or ""))
        given = {
            "minutes": int(self.minutes.data or ""),
            "room": self.room.data,
            "invite": (self.invite.data or "").strip(),
        }
        return MeetingBody.model_validate({"start": start, **given})
