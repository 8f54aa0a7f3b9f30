"""The HTML forms of the features."""

from flask_wtf import FlaskForm
from wtforms import Field, SelectField, StringField
from wtforms.validators import StopValidation

from todo_shared.features.money import CURRENCIES, smallest_units
from todo_shared.features.schemas import BountyBody
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
