"""The messages of the features: from API clients, to the handlers, and back."""

import re
from datetime import UTC
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from todo_shared.features import moments
from todo_shared.features.money import CURRENCIES, known_currency
from todo_shared.schemas import ClearedData, TodoItemRequest
from todo_shared.validation import INTEGER_MAX, clean_line

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


STEPS = ("calendar", "room", "mark", "invite")
"""What is done for a meeting, in this order."""

MAIL = r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"
"""An address of mail, as browsers read it, too."""


def _mail(address: str) -> str:
    if len(address) > 200 or not re.fullmatch(MAIL, address, re.ASCII | re.IGNORECASE):
        raise ValueError("This is no mail address.")
    return address


def _room(name: str) -> str:
    name = clean_line(name, "A room", 100)
    if "/" in name or name.startswith("."):
        raise ValueError("A room's name has no slash and does not begin with a dot.")
    return name


Minutes = Annotated[int, Field(ge=1, le=24 * 60)]
Room = Annotated[str, AfterValidator(_room), Field(json_schema_extra={"minLength": 1, "maxLength": 100})]
Mail = Annotated[str, AfterValidator(_mail), Field(json_schema_extra={"format": "email", "maxLength": 200})]
Instant = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]


class MeetingBody(BaseModel):
    """A meeting to plan."""

    model_config = ConfigDict(strict=True)

    start: Annotated[moments.Moment, AfterValidator(moments.ahead)]
    minutes: Minutes
    room: Room
    invite: Mail


class MeetingRequest(TodoItemRequest):
    """Plan this meeting about this todo. Its start is not compared with the clock: that would fail where it waited."""

    start: Instant
    minutes: Minutes
    room: Room
    invite: Mail


class MeetingData(BaseModel):
    """A meeting, as the API shows it."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    todo_id: int
    title: str
    status: Literal["planning", "planned", "cancelling", "cancelled", "refused"]
    start: Instant
    minutes: int
    room: str
    invite: str
    steps: dict[str, str]
    """By their names: open, done or undone."""
    reason: str | None


class DeletedData(ClearedData):
    """What was not deleted, and the meetings of what was."""

    meetings: list[MeetingData]
