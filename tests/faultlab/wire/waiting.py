"""How tests of the wire wait for what must happen, and for what must not."""

import contextlib
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotDone
from typing import TypeVar

T = TypeVar("T")

DEADLINE = 10.0
MOMENT = 0.15  # seconds in which anything that can happen on this machine's loopback does


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Wait until the condition holds."""
    until = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < until, f"after {DEADLINE:g} s still not: {what}"
        time.sleep(0.005)


def still_waits(future: "Future[T]") -> bool:
    """Whether nothing has come of it for a moment."""
    with contextlib.suppress(NotDone):
        future.result(MOMENT)
        return False
    return True
