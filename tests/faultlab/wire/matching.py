"""How a test says which message it means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from .messages import Direction, Marker, Message

Match: TypeAlias = Callable[[Message], bool]


@dataclass(frozen=True)
class _Description:
    name: str = ""
    mentioning: Marker | None = None
    where: Match | None = None
    direction: ClassVar[Direction]

    def __call__(self, message: Message) -> bool:
        return (
            message.direction is self.direction
            and bool(message.name)
            and (not self.name or message.is_called(self.name))
            and (self.mentioning is None or message.mentions(self.mentioning))
            and (self.where is None or self.where(message))
        )


class Sent(_Description):
    """A message that the client sends: by its first words, by what its operation mentions, by any other condition.

    `Sent("COMMIT", mentioning="buy milk")` is the COMMIT of the transaction in which that text occurs.
    """

    direction = Direction.TO_SERVER


class Answer(_Description):
    """A message on its way back, by the same means; the name is that of the message that it answers.

    `Answer("COMMIT")` tells that a COMMIT worked, `Answer("POST /add")` is the response to that request.
    """

    direction = Direction.TO_CLIENT
