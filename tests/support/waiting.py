"""One way to wait: for a condition, with a deadline, saying what was still missing."""

import time
from collections.abc import Callable
from typing import TypeVar

import requests

T = TypeVar("T")

POLL_SECONDS = 0.05


class StillMissingError(AssertionError):
    """The condition did not come to hold in time."""


def until(condition: Callable[[], T], what: str, seconds: float = 30) -> T:
    """Wait until the condition returns something true, and return that. A server that does not answer is asked again.

    Raises StillMissingError if it did not in time, with `what` was waited for and the last answer.
    """
    deadline = time.monotonic() + seconds
    while True:
        last: object
        try:
            if found := condition():
                return found
            last = found
        except requests.RequestException as error:
            last = error
        if time.monotonic() > deadline:
            raise StillMissingError(f"after {seconds:g} s still missing: {what} (last: {last!r})")
        time.sleep(POLL_SECONDS)
