"""What becomes of an error in a handler or a step: one table, by class of exception."""

import enum
import logging
import traceback
from dataclasses import dataclass
from datetime import timedelta

import requests
import sqlalchemy.exc
from restate import TerminalError
from restate.exceptions import RetryableError

SLOW_INTERVAL = timedelta(minutes=1)
"""How often a fault of our own code is tried again. A new version of the service is what mends it."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ends:
    """No repeat can mend it: the call ends, and its caller is told."""

    status: int
    """HTTP status of the answer."""
    message: str = ""
    """What the caller is told; by default what the error says."""


class Repeats(enum.Enum):
    """The call was promised, so it is never dropped: by the service's retry policy, or once in SLOW_INTERVAL."""

    SOON = "a database or another server is down or busy"
    SLOWLY = "nobody has foreseen it, and to repeat it quickly would only fill the log"


DATABASE_UNAVAILABLE = (
    sqlalchemy.exc.OperationalError,
    sqlalchemy.exc.InterfaceError,
    # For example: the database is read-only.
    sqlalchemy.exc.InternalError,
    # No connection of the pool has become free.
    sqlalchemy.exc.TimeoutError,
)
"""What SQLAlchemy raises when the database cannot do it now."""

NO_ANSWER = (ConnectionError, TimeoutError, requests.ConnectionError, requests.Timeout)
"""What is raised when another server cannot be reached, or says nothing."""

ERRORS: dict[type[BaseException], Ends | Repeats] = {
    sqlalchemy.exc.IntegrityError: Ends(409, "This contradicts something that is stored already."),
    sqlalchemy.exc.DataError: Ends(422, "The database cannot hold this."),
    **dict.fromkeys((*DATABASE_UNAVAILABLE, *NO_ANSWER), Repeats.SOON),
    Exception: Repeats.SLOWLY,
}
"""The most specific class counts. An application adds its own: ERRORS[TodoNotFoundError] = Ends(404)."""


class TemporaryError(Exception):
    """Restate runs the step again soon."""


def translate(error: Exception) -> Exception:
    """Return what to raise instead, so that Restate does with the call what the table says."""
    if isinstance(error, TerminalError | RetryableError):
        return error
    rule = next(ERRORS[kind] for kind in type(error).__mro__ if kind in ERRORS)
    # SQLAlchemy's messages go on with the statement and a link.
    text = str(error).partition("\n")[0]
    if isinstance(rule, Ends):
        return TerminalError(rule.message or text, status_code=rule.status)
    if rule is Repeats.SOON:
        return TemporaryError(text or type(error).__name__)
    *_, frame = traceback.extract_tb(error.__traceback__) or [None]
    fault = f"{type(error).__name__}: {text} ({frame and frame.filename}:{frame and frame.lineno})"
    log.error("a fault of the code, tried again in %s: %s", SLOW_INTERVAL, fault)
    return RetryableError(fault, retry_after=SLOW_INTERVAL)
