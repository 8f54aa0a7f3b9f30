"""What happens to a call when its handler or step raises an exception: one table, by exception class."""

import enum
import functools
import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import requests
from restate import TerminalError
from restate.exceptions import RetryableError
from sqlalchemy.exc import DataError, IntegrityError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from werkzeug.http import parse_date

from flask_restate import tracing

SLOW_INTERVAL = timedelta(minutes=1)
"""How often a call that met a bug in our code is retried. Only a new version of the service fixes it."""

_DAY = timedelta(days=1)

T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ends:
    """Retrying cannot help: the call ends, and its caller is told, with this HTTP status."""

    status: int
    message: str = ""  # What the caller is told; by default, the error's own message.


class Repeats(enum.Enum):
    """The call was promised, so it is never dropped: it is retried by the service's policy or every SLOW_INTERVAL."""

    SOON = "a database or another server is down or busy"
    SLOWLY = "unforeseen, and retrying it quickly would only fill the log"


# The database is unavailable: gone, read-only, out of connections.
DATABASE_UNAVAILABLE = (OperationalError, InterfaceError, InternalError, PoolTimeoutError)
# Another server cannot be reached or does not answer.
NO_ANSWER = (
    ConnectionError,
    TimeoutError,
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
)
NOT_NOW = (408, 425, 429, *range(500, 600))
"""Answers of another server that a repeat may change."""

ERRORS: dict[type[BaseException], Ends | Repeats] = {
    IntegrityError: Ends(409, "This contradicts something that is stored already."),
    DataError: Ends(422, "The database cannot hold this."),
    **dict.fromkeys((*DATABASE_UNAVAILABLE, *NO_ANSWER), Repeats.SOON),
    Exception: Repeats.SLOWLY,
}
"""The most specific class wins. An application adds its own: ERRORS[TodoNotFoundError] = Ends(404)."""

SQLSTATES: dict[str, Ends | Repeats] = {
    "P0001": Ends(409),  # RAISE in a function or trigger of the application, with its message
    "54": Ends(422, "The database cannot hold this."),  # a limit of PostgreSQL, such as the size of an index entry
    "2200H": Ends(507, "The database has no number left for this."),  # a sequence has reached its end
    "0A000": Repeats.SOON,  # a prepared statement whose table was altered; it is prepared anew
    "25P02": Repeats.SLOWLY,  # a statement after one that failed, without a rollback
}
"""PostgreSQL's codes, or the classes that they begin with. They win over the table of exceptions."""


class TemporaryError(Exception):
    """Makes Restate retry the step soon."""


def sqlstate(error: Exception) -> str:
    """Return PostgreSQL's code for an error; an empty text if the database did not answer with one."""
    return getattr(getattr(error, "orig", None), "pgcode", None) or ""


def translate(error: Exception) -> Exception:
    """Return the exception to raise instead, so that Restate treats the call as the tables say."""
    if isinstance(error, TerminalError | RetryableError):
        return error
    state = sqlstate(error)
    rules = [SQLSTATES.get(state), SQLSTATES.get(state[:2]), *map(ERRORS.get, type(error).__mro__)]
    rule = next(rule for rule in rules if rule)
    # The driver's message: SQLAlchemy adds the statement and a link.
    text = str(getattr(error, "orig", None) or error).partition("\n")[0] or type(error).__name__
    if isinstance(error, ValueError) and "NUL (0x00)" in text:
        rule = Ends(422, "The database cannot hold this.")
    if isinstance(error, requests.HTTPError) and error.response.status_code in NOT_NOW:
        rule = Repeats.SOON
        if wait := retry_after(error):
            return RetryableError(text, retry_after=wait)
    if isinstance(rule, Ends):
        # With metadata, which the ends that an operator orders do not have: see extension._raise_for_outcome.
        return TerminalError(rule.message or text, rule.status, metadata={"error": type(error).__name__})
    if rule is Repeats.SOON:
        return TemporaryError(text)
    *_, frame = traceback.extract_tb(error.__traceback__) or [None]
    fault = f"{type(error).__name__}: {text} ({frame and frame.filename}:{frame and frame.lineno})"
    log.error("a bug, retried in %s: %s", SLOW_INTERVAL, fault)
    return RetryableError(fault, retry_after=SLOW_INTERVAL)


def retry_after(error: requests.RequestException) -> timedelta | None:
    """Return how long another server asks to wait, at most a day, if it does."""
    told = "" if error.response is None else error.response.headers.get("retry-after", "")
    if told.isdecimal():
        # Python does not read any number of digits, and nine are more than a day.
        return min(timedelta(seconds=int(told.lstrip("0")[:9] or 0)), _DAY)
    if at := parse_date(told):
        return min(max(at - datetime.now(UTC), timedelta()), _DAY)
    return None


def translated(action: Callable[[], T]) -> Callable[[], T]:
    """Return a step for `ctx.run_typed` without the ledger, such as a call to another server, with these errors."""

    @functools.wraps(action)
    def step() -> T:
        try:
            return action()
        except Exception as error:
            raise translate(error) from None

    return tracing.step(step)
