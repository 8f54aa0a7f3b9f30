"""What happens to a call when its handler or step raises an exception: one table, by exception class."""

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
"""How often a call that met a bug in our code is retried. Only a new version of the service fixes it."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ends:
    """Retrying cannot help: the call ends, and its caller is told."""

    status: int
    """HTTP status of the answer."""
    message: str = ""
    """What the caller is told; by default, the error's own message."""


class Repeats(enum.Enum):
    """The call was promised, so it is never dropped: it is retried by the service's policy or every SLOW_INTERVAL."""

    SOON = "a database or another server is down or busy"
    SLOWLY = "unforeseen, and retrying it quickly would only fill the log"


DATABASE_UNAVAILABLE = (
    sqlalchemy.exc.OperationalError,
    sqlalchemy.exc.InterfaceError,
    # For example: the database is read-only.
    sqlalchemy.exc.InternalError,
    # No connection in the pool became free.
    sqlalchemy.exc.TimeoutError,
)
"""What SQLAlchemy raises when the database is unavailable."""

NO_ANSWER = (ConnectionError, TimeoutError, requests.ConnectionError, requests.Timeout)
"""What is raised when another server cannot be reached or does not answer."""

ERRORS: dict[type[BaseException], Ends | Repeats] = {
    sqlalchemy.exc.IntegrityError: Ends(409, "This contradicts something that is stored already."),
    sqlalchemy.exc.DataError: Ends(422, "The database cannot hold this."),
    **dict.fromkeys((*DATABASE_UNAVAILABLE, *NO_ANSWER), Repeats.SOON),
    Exception: Repeats.SLOWLY,
}
"""The most specific class wins. An application adds its own: ERRORS[TodoNotFoundError] = Ends(404)."""


class TemporaryError(Exception):
    """Makes Restate retry the step soon."""


def translate(error: Exception) -> Exception:
    """Return the exception to raise instead, so that Restate treats the call as the table says."""
    if isinstance(error, TerminalError | RetryableError):
        return error
    rule = next(ERRORS[kind] for kind in type(error).__mro__ if kind in ERRORS)
    # SQLAlchemy appends the statement and a link to its messages.
    text = str(error).partition("\n")[0]
    if isinstance(rule, Ends):
        return TerminalError(rule.message or text, status_code=rule.status)
    if rule is Repeats.SOON:
        return TemporaryError(text or type(error).__name__)
    *_, frame = traceback.extract_tb(error.__traceback__) or [None]
    fault = f"{type(error).__name__}: {text} ({frame and frame.filename}:{frame and frame.lineno})"
    log.error("a bug, retried in %s: %s", SLOW_INTERVAL, fault)
    return RetryableError(fault, retry_after=SLOW_INTERVAL)
