"""What travels on a link: messages, how a test says which it means, and the base of what reads them from bytes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, TypeAlias

Marker: TypeAlias = str | bytes | int
"""What singles out one operation: a piece of text or of bytes, or a whole number."""


class Side(StrEnum):
    """One of the two programs that a link joins; the client is the one that connected."""

    CLIENT = "client"
    SERVER = "server"


class Direction(StrEnum):
    """Which way a message goes."""

    TO_SERVER = "to server"
    TO_CLIENT = "to client"

    @property
    def sender(self) -> Side:
        """Who wrote the message."""
        return Side.CLIENT if self is Direction.TO_SERVER else Side.SERVER

    @property
    def receiver(self) -> Side:
        """Who is to read the message."""
        return Side.SERVER if self is Direction.TO_SERVER else Side.CLIENT


@dataclass(slots=True, kw_only=True, eq=False)
class Message:
    """The smallest piece of a conversation that can be held back.

    `name` is what people call it and what a time line shows; a message without one passes unrecorded. Messages of one
    `lane` keep their order: what follows a held message waits behind it. A message without a lane concerns the whole
    connection and waits for nobody.
    """

    raw: bytes
    direction: Direction
    name: str = ""
    lane: int | None = 0

    def wire(self) -> bytes:
        """Return the bytes to pass on; called once, when the message is passed on."""
        return self.raw

    def is_called(self, name: str) -> bool:
        """Whether a person means this message by `name`: its whole name or its first words."""
        return begins_with(self.name, name)

    def mentions(self, marker: Marker) -> bool:
        """Whether the marker occurs in the operation that this message belongs to."""
        return as_bytes(marker) in self.raw

    def context(self) -> bytes:
        """Return what has passed of the operation up to here, as far as the link can tell."""
        return self.raw


def begins_with(text: str, words: str) -> bool:
    """Whether text begins with these whole words, in either case: `POST /update/7` begins with `POST /update`."""
    text, words = text.casefold(), words.casefold()
    following = text[len(words) : len(words) + 1]
    return text.startswith(words) and not (following.isalnum() or following == "_")


def as_bytes(marker: Marker) -> bytes:
    """Return the marker as it appears in text on the wire."""
    return marker if isinstance(marker, bytes) else str(marker).encode()


Match: TypeAlias = Callable[[Message], bool]


@dataclass(frozen=True)
class _Description:
    name: str = ""
    mentioning: Marker | None = None
    direction: ClassVar[Direction]

    def __call__(self, message: Message) -> bool:
        return (
            message.direction is self.direction
            and bool(message.name)
            and (not self.name or message.is_called(self.name))
            and (self.mentioning is None or message.mentions(self.mentioning))
        )


class Sent(_Description):
    """A message that the client sends: by its first words, and by what its operation mentions.

    `Sent("COMMIT", mentioning="buy milk")` is the COMMIT of the transaction in which that text occurs.
    """

    direction = Direction.TO_SERVER


class Answer(_Description):
    """A message on its way back, by the same means; the name is that of the message that it answers.

    `Answer("COMMIT")` tells that a COMMIT worked, `Answer("POST /add")` is the response to that request.
    """

    direction = Direction.TO_CLIENT


class NotUnderstoodError(Exception):
    """The bytes on a link are not what its protocol expects, so no message on it could be held exactly."""


class WireProtocol(ABC):
    """Reads both byte streams of one connection, because an answer can only be read by its question."""

    @abstractmethod
    def feed(self, direction: Direction, data: bytes) -> Iterator[Message]:
        """Yield the messages that these bytes complete; keep the rest for later.

        Raises NotUnderstoodError (or what its parser raises) when the bytes make no sense. The proxy then resets the
        connection: a breakpoint could be missed in silence on what it cannot read.
        """

    def finish(self, direction: Direction) -> Iterable[Message]:  # noqa: ARG002 - nothing is kept back by default
        """Return what was left incomplete when the sender ended its stream."""
        return ()


class Opaque(WireProtocol):
    """No protocol: bytes pass as they come, and only the link as a whole can be broken."""

    def feed(self, direction: Direction, data: bytes) -> Iterator[Message]:
        """Yield the bytes as one message without a name."""
        yield Message(raw=data, direction=direction)
