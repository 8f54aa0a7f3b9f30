"""Why a feature refuses, in words for the user. Both twins answer these alike."""

from typing import ClassVar


class RefusedError(Exception):
    """What was asked for cannot be done, and asking again cannot help."""

    status: ClassVar[int]


class NotSetError(RefusedError):
    """The todo has nothing of this kind."""

    status = 404


class ConflictError(RefusedError):
    """The state that something is in forbids this."""

    status = 409


class GivenUpError(RefusedError):
    """Others did not answer as they should, and what had been done is undone, or the message says what is not."""

    status = 503


class DeclinedError(RefusedError):
    """The payment was declined."""

    status = 402
