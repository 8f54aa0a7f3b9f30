"""The messages of the features: from API clients, to the handlers, and back."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    computed_field,
    model_validator,
)

from todo_shared.features import moments
from todo_shared.features.moments import LONGEST, Moment, ahead, shown
from todo_shared.features.money import CURRENCIES, known_currency
from todo_shared.features.webhook import URL_MAX_LENGTH, clean_url
from todo_shared.schemas import ClearedData, Completion, TodoItemRequest, UpdatedData
from todo_shared.validation import INTEGER_MAX, clean_line

Amount = Annotated[int, Field(gt=0, le=INTEGER_MAX)]
Currency = Annotated[str, AfterValidator(known_currency), Field(json_schema_extra={"enum": list(CURRENCIES)})]
ShownMoment = Annotated[
    datetime,
    PlainSerializer(shown, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


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


class WatcherBody(BaseModel):
    """Who is told when the todo is completed."""

    model_config = ConfigDict(strict=True)

    url: Annotated[
        str,
        AfterValidator(clean_url),
        Field(json_schema_extra={"format": "uri", "pattern": "^https?://", "maxLength": URL_MAX_LENGTH}),
    ]


class WatcherRequest(TodoItemRequest, WatcherBody):
    """Let this URL be called when this todo is completed."""


class WatcherData(BaseModel):
    """A watcher, as the API shows it, and how its last call went."""

    model_config = ConfigDict(from_attributes=True)

    url: str
    called_at: ShownMoment | None
    error: str | None


class CompletedRequest(TodoItemRequest):
    """Tell the watcher at this URL, in the call that has this key, that the todo was completed."""

    title: str
    completed_at: datetime
    url: str
    key: str

    @classmethod
    def of(cls, todo: UpdatedData, completion: Completion, key: str) -> Self:
        """Return it for a todo that was just completed."""
        return cls(todo_id=todo.id, title=todo.task, completed_at=completion.at, url=completion.url, key=key)


class ReminderBody(BaseModel):
    """When to be reminded: at a time, or after so many seconds."""

    model_config = ConfigDict(strict=True)

    at: Annotated[Moment, AfterValidator(ahead)] | None = None
    in_seconds: Annotated[int, Field(ge=0, le=LONGEST // timedelta(seconds=1))] | None = None

    @model_validator(mode="after")
    def exactly_one(self) -> Self:
        """Refuse both, and none."""
        if (self.at is None) == (self.in_seconds is None):
            raise ValueError("Give either at or in_seconds.")
        return self


class ReminderRequest(TodoItemRequest):
    """Set the reminder of this todo: this may be carried out later, when the time is past."""

    at: datetime | None = None
    in_seconds: int | None = None

    def moment(self, now: datetime) -> datetime:
        """Return when it is due."""
        return self.at or now + timedelta(seconds=self.in_seconds or 0)


class DueRequest(TodoItemRequest):
    """Send the reminder with this id, if it is still that of the todo."""

    id: str
    at: datetime


class ReminderJson(BaseModel):
    """A reminder, as the API shows it."""

    model_config = ConfigDict(from_attributes=True)

    at: ShownMoment
    sent_at: ShownMoment | None = None

    @computed_field
    def status(self) -> Literal["set", "sent"]:
        """Whether it was sent."""
        return "sent" if self.sent_at else "set"


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
