"""What is asked for in the background, while somebody looks."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

import requests

from todo_shared.outages import log

T = TypeVar("T")

# Not asked more often than this, whoever looks.
INTERVAL_SECONDS = 1.0
# What is older is not shown without asking anew, which a page waits for, but not long.
OLD_SECONDS = 2.0
PATIENCE_SECONDS = 0.3
# How long an answer stands in for one that does not come.
KEPT_SECONDS = 5.0


class Background(Generic[T]):
    """Asks for something in a thread of its own, at most once a second, and only when somebody looks."""

    def __init__(self, ask: Callable[[], T], nothing: T) -> None:
        """`ask` raises requests.RequestException if there is no answer; `nothing` is shown when there was none."""
        self._ask, self._nothing = ask, nothing
        self._latest = nothing
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._wanted = self._fails = self._told = False
        self._tried = self._answered = -OLD_SECONDS

    def look(self) -> T:
        """Return the latest answer. It is at most some seconds old, and this waits a moment for a new one."""
        # Most pages find that it was asked just now, and need no lock to read what came of it.
        if not self._fails and time.monotonic() - self._tried < INTERVAL_SECONDS:
            return self._latest
        with self._changed:
            if self._thread is None:
                # Not before: gunicorn forks its workers after the application was made.
                self._thread = threading.Thread(target=self._run, name="pending", daemon=True)
                self._thread.start()
            now = time.monotonic()
            if now - self._tried >= INTERVAL_SECONDS:
                self._wanted = True
                self._changed.notify_all()
            if now - self._tried >= OLD_SECONDS and not self._fails:
                self._changed.wait_for(lambda: self._tried >= now, PATIENCE_SECONDS)
            return self._latest if time.monotonic() - self._answered < KEPT_SECONDS else self._nothing

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted)
            answer, fails = self._latest, True
            try:
                answer, fails = self._ask(), False
            except (requests.RequestException, LookupError, ValueError):
                pass  # No answer, or not that of a Restate server.
            except Exception:
                # Whatever it is, it must not end the thread: whoever looks would start no other.
                if not self._told:
                    log.exception("what is pending cannot be told, because of a bug; this is logged once")
                self._told = True
            with self._changed:
                self._latest, self._fails, self._tried = answer, fails, time.monotonic()
                if not fails:
                    self._answered = self._tried
                # Who has looked meanwhile gets this answer.
                self._wanted = False
                self._changed.notify_all()
