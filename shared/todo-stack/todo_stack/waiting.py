"""One way to wait: until something holds, for so long, unless somebody asks to stop meanwhile."""

import threading
import time

from todo_stack.checks import Check
from todo_stack.errors import StopRequested

POLL_SECONDS = 0.05


def comes_true(
    condition: Check, seconds: float, *, cancelled: threading.Event | None = None, poll: float = POLL_SECONDS
) -> bool:
    """Wait until the condition holds; return whether it does within that time.

    Raises:
        StopRequested: `cancelled` was set meanwhile.

    """
    deadline = time.monotonic() + seconds
    cancelled = cancelled or threading.Event()
    while not condition():
        if time.monotonic() >= deadline:
            return False
        if cancelled.wait(poll):
            raise StopRequested
    return True
