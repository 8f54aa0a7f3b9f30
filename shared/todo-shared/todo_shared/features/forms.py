"""The HTML forms of the features."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from flask_wtf import FlaskForm
from wtforms import Field, SelectField, StringField
from wtforms.validators import StopValidation

from todo_shared.features.errors import RefusedError
from todo_shared.features.moments import LONGEST, ahead, known_zone, of_zone
from todo_shared.features.money import CURRENCIES, smallest_units
from todo_shared.features.schemas import BountyBody
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

    url = StringField("URL", [_webhook], render_kw={"required": True, "type": "url"})


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
