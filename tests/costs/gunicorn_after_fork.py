"""Settings of gunicorn for others than the twins: those of the twins, but the application is made after the fork.

Their clients have threads and connections, which a fork would leave behind or share.
"""

from todo_shared import garbage
from todo_shared.gunicorn_conf import *  # noqa: F403 - whatever the twins have

preload_app = False


def post_fork(_server: object, _worker: object) -> None:  # type: ignore[no-redef]  # another one
    """Trace nothing: these applications have no title of their own."""


def post_worker_init(_worker: object) -> None:
    """Look for garbage as seldom as the twins, now that the application is loaded."""
    garbage.collect_seldom()


def worker_exit(_server: object, _worker: object) -> None:  # type: ignore[no-redef]  # another one
    """And so nothing is left to send."""
