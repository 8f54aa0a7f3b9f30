"""A thread pool in which few threads work, while the others wait for other servers.

Python runs one thread at a time, and many that take turns get less done than few: most likely because the stack of each
has left the processor's caches when its turn comes. So work is given to the thread that became idle last, not to the
one that has been idle for longest, as Python's pool does; and it can be kept until one of those that work is done, or
steps aside.
"""

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any


class _Idle:
    """A thread that waits for work."""

    def __init__(self) -> None:
        self.work: Any = None
        self.woken = threading.Lock()
        self.woken.acquire()


class WorkQueue:
    """Work in the order in which it came, for `at_work` threads at a time: for those that became idle last.

    It is the queue of a ThreadPoolExecutor, in which None tells a thread to end.
    """

    def __init__(self, at_work: int) -> None:
        self._most, self._at_work = at_work, 0
        self._lock = threading.Lock()
        self._work: deque[Any] = deque()
        self._idle: list[_Idle] = []

    def allow(self, at_work: int) -> None:
        """Let so many threads work at a time from now on."""
        with self._lock:
            self._most = at_work
            self._hand_out()

    def fits(self, more: int = 0) -> bool:
        """Return whether those at work now are not too many, with so many more."""
        return self._at_work + more <= self._most

    def put(self, work: object) -> None:
        """Give work to a thread, or keep it."""
        with self._lock:
            self._work.append(work)
            self._hand_out()

    def get(self, block: bool = True) -> Any:  # noqa: ANN401 - as queue.SimpleQueue has it
        """Return work, for which this thread waits. Raises queue.Empty: there is none, and it does not."""
        with self._lock:
            was_at_work = getattr(_this_thread, "works_for", None) is self
            _this_thread.works_for = None
            self._at_work -= was_at_work
            # Who does not wait and has not worked may be the pool itself, at its end.
            if self._work and (self._has_room() or not (block or was_at_work)):
                return self._begin(self._work.popleft())
            if not block:
                raise queue.Empty
            this = _Idle()
            self._idle.append(this)
        this.woken.acquire()
        _this_thread.works_for = self if this.work is not None else None
        return this.work

    def get_nowait(self) -> Any:  # noqa: ANN401 - as above
        """Return work. Raises queue.Empty: there is none."""
        return self.get(block=False)

    @contextlib.contextmanager
    def without_this_thread(self) -> Iterator[None]:
        """Let another thread work meanwhile."""
        with self._lock:
            self._at_work -= 1
            self._hand_out()
        _this_thread.works_for = None
        try:
            yield
        finally:
            _this_thread.works_for = self
            with self._lock:
                self._at_work += 1

    def _has_room(self) -> bool:
        return self._work[0] is None or self._at_work < self._most

    def _begin(self, work: Any) -> Any:  # noqa: ANN401 - as above
        if work is not None:
            self._at_work += 1
            _this_thread.works_for = self
        return work

    def _hand_out(self) -> None:
        while self._work and self._idle and self._has_room():
            latest = self._idle.pop()
            latest.work = self._work.popleft()
            self._at_work += latest.work is not None
            latest.woken.release()


_this_thread = threading.local()


def aside() -> contextlib.AbstractContextManager[None]:
    """Let another thread of this one's pool work, while this one waits for another server."""
    works_for: WorkQueue | None = getattr(_this_thread, "works_for", None)
    return works_for.without_this_thread() if works_for else contextlib.nullcontext()


def thread_pool(threads: int, work: WorkQueue) -> ThreadPoolExecutor:
    """Return a pool of so many threads at most, with this queue."""
    pool = ThreadPoolExecutor(threads)
    # It cannot be given one. Should Python name it otherwise, the pool has Python's own, as test_thread_pool tells.
    pool._work_queue = work  # type: ignore[assignment]
    return pool
