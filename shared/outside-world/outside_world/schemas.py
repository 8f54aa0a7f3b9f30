"""What can be asked: bodies, orders and filters, checked strictly."""

import json
from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    RootModel,
    StringConstraints,
    model_validator,
)

Receiver = Literal["payments", "calendar", "rooms", "mail", "hooks"]

MAX_MINUTES = 24 * 60

Line = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Moment = Annotated[
    AwareDatetime,
    Field(ge=datetime(2000, 1, 1, tzinfo=UTC), le=datetime(2200, 1, 1, tzinfo=UTC)),
    AfterValidator(lambda moment: moment.astimezone(UTC)),
]


class Body(BaseModel):
    """A body, whose every field counts."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class NewPayment(Body):
    """Money to take."""

    amount: int = Field(gt=0, le=10**12)
    """In the currency's smallest unit."""
    currency: str = Field(pattern="^[A-Z]{3}$")
    reference: Line


class NewBooking(Body):
    """A calendar event, or a room for some time."""

    id: str | None = Field(default=None, pattern=r"^[^/\x00-\x1f\x7f]{1,200}$")
    title: Line
    start: Moment
    minutes: int = Field(gt=0, le=MAX_MINUTES)
    reference: Line


class NewMail(Body):
    """A mail to send."""

    to: str = Field(max_length=200, pattern=r"^[^@\s]+@[^@\s]+$")
    subject: Line
    text: str = Field(max_length=10_000)
    reference: Line


def _standard(value: JsonValue) -> JsonValue:
    """Refuse NaN and infinite numbers, which Python's JSON has and others cannot read."""
    json.dumps(value, allow_nan=False)
    return value


class AnyJson(RootModel[Annotated[JsonValue, AfterValidator(_standard)]]):
    """What a webhook takes."""


class Order(Body):
    """How a receiver is to behave, for which requests, and for how long: without a limit until it is cleared."""

    mode: Literal["slow", "error", "busy", "reject", "drop", "ignore_keys"]
    seconds_each: float = Field(default=2, gt=0, le=60)
    """How much later slow answers."""
    retry_after: int = Field(default=1, ge=0, le=3600)
    """The seconds that busy asks for."""
    status: int | None = Field(default=None, ge=400, le=499)
    """What reject answers; by default 402 for payments and 409 for others."""
    count: int | None = Field(default=None, ge=1, le=1_000_000)
    seconds: float | None = Field(default=None, gt=0, le=86_400)
    reference: str = Field(default="", max_length=200)
    """Only requests with this reference, or with one below it: a/b is below a, and ab is not."""
    method: Literal["", "GET", "POST", "PUT", "DELETE"] = ""
    path: str = Field(default="", max_length=200)
    """Only these addresses; * stands for anything: /payments/*/refund."""

    @model_validator(mode="after")
    def refuse_what_has_no_meaning(self) -> Self:
        """Refuse a field of another mode, which its sender would wait for in vain."""
        for name, mode in {"seconds_each": "slow", "retry_after": "busy", "status": "reject"}.items():
            if name in self.model_fields_set and self.mode != mode:
                raise ValueError(f"{name} belongs to mode {mode}, not to {self.mode}")
        return self

    @property
    def filters(self) -> tuple[str, str, str]:
        """Which requests it is for; of two orders for the same ones the later one counts."""
        return self.reference, self.method, self.path


class Filter(BaseModel):
    """Which requests or effects to show; an unknown filter would show all."""

    model_config = ConfigDict(extra="forbid")

    receiver: Receiver | None = None
    reference: str | None = None
    """This one, or one below it."""
    key: str | None = None
    limit: int = Field(default=100, ge=1, le=500)
    after: int | None = Field(default=None, ge=1, lt=2**63)
    """Continue after the one with this id, with older ones."""
