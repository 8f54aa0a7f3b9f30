"""The one background thread on which all proxies of a process run."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

_CALL_TIMEOUT = 10.0  # seconds; nothing that a test asks of the wire waits for the outside world


class Loop:
    """An event loop in a thread, started by its first user and stopped by its last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def acquire(self) -> None:
        """Start the thread, unless it runs."""
        with self._lock:
            self._users += 1
            if self._users > 1:
                return
            self._loop = asyncio.new_event_loop()
            # A daemon, so that a test run that dies on the way can end.
            self._thread = threading.Thread(target=self._run, args=(self._loop,), name="wire", daemon=True)
            self._thread.start()

    def release(self) -> None:
        """Stop the thread, if nobody else uses it."""
        with self._lock:
            self._users -= 1
            if self._users or self._loop is None or self._thread is None:
                return
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_CALL_TIMEOUT)
            self._loop = self._thread = None

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the thread and return its result."""
        if self._loop is None:
            work.close()
            raise RuntimeError("this link is closed")
        future: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(_CALL_TIMEOUT)
        except BaseException:
            future.cancel()
            raise

    @staticmethod
    def _run(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
        finally:
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            loop.close()


LOOP = Loop()
