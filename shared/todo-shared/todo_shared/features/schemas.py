"""The messages of the features: from API clients, to the handlers, and back."""

from datetime import datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    computed_field,
    model_validator,
)

from todo_shared.features.moments import LONGEST, Moment, ahead, shown
from todo_shared.features.money import CURRENCIES, known_currency
from todo_shared.features.webhook import URL_MAX_LENGTH, clean_url
from todo_shared.schemas import Completion, TodoItemRequest, UpdatedData
from todo_shared.validation import INTEGER_MAX

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
