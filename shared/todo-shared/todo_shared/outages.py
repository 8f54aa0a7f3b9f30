"""Tells the log of an outage: a line when it begins, at most one a minute, and one when it ends, with the count."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

INTERVAL_SECONDS = 60.0
CALM_SECONDS = 10.0
"""A failure that comes sooner after another one is no news: something works now and then, and fails now and then."""

log = logging.getLogger(__name__)


class Outage:
    """Counts the failures of one thing in this process, from all threads. Each process has its own lines."""

    def __init__(self, what: str) -> None:
        """Name what may fail, as the subject of a sentence."""
        self._what = what
        self.works: bool | None = None
        """Whether it worked the last time; None before that."""
        self._lock = threading.Lock()
        self._fails = False
        self._now_and_then = False
        """Whether it has failed again soon after it worked: then it takes more than a success to say that it works."""
        self._count = 0
        """Failures since it began to fail, or since the last line that said that it works."""
        self._last_failure = self._last_line = -INTERVAL_SECONDS

    def failed(self, why: object) -> None:
        """Count a failure. Only the first line of its reason is logged."""
        with self._lock:
            self.works = False
            now = time.monotonic()
            begins = not self._fails and now - self._last_failure >= CALM_SECONDS
            self._now_and_then |= not self._fails and not begins
            self._fails = True
            self._count += 1
            self._last_failure = now
            if begins or now - self._last_line >= INTERVAL_SECONDS:
                self._last_line = now
                reason = str(why).partition("\n")[0] or type(why).__name__
                log.warning("%s fails (failed attempts: %d): %s", self._what, self._count, reason)

    def ended(self) -> None:
        """Say that it works. This is cheap, for it is said of every success."""
        self.works = True
        if not self._fails:
            return
        with self._lock:
            calm = time.monotonic() - self._last_failure >= CALM_SECONDS
            if self._fails and (calm or not self._now_and_then):
                log.warning("%s works again (failed attempts: %d)", self._what, self._count)
                self._fails, self._now_and_then, self._count = False, False, 0

    @contextmanager
    def watched(self, *kinds: type[Exception]) -> Iterator[None]:
        """Count these errors, which are raised all the same, as failures; other errors say nothing about this."""
        try:
            yield
        except kinds as error:
            self.failed(error.__cause__ or error)
            raise
        self.ended()
