"""The messages of the features: from API clients, to the handlers, and back."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from todo_shared.features.money import CURRENCIES, known_currency
from todo_shared.schemas import TodoItemRequest
from todo_shared.validation import INTEGER_MAX

Amount = Annotated[int, Field(gt=0, le=INTEGER_MAX)]
Currency = Annotated[str, AfterValidator(known_currency), Field(json_schema_extra={"enum": list(CURRENCIES)})]


class BountyBody(BaseModel):
    """What is paid for a todo, in the smallest unit of the currency."""

    model_config = ConfigDict(strict=True, from_attributes=True)

    amount: Amount
    currency: Currency


class BountyRequest(TodoItemRequest, BountyBody):
    """Set the bounty on this todo."""


class PaymentData(BaseModel):
    """A payment, as the API shows it."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    status: Literal["charging", "paid", "declined", "refunded"]
    amount: int
    currency: str
    charge: str | None
    reason: str | None
