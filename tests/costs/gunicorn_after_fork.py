"""Settings of gunicorn for others than the twins: those of the twins, but the application is made after the fork.

Their clients have threads and connections, which a fork would leave behind or share.
"""

from todo_shared.gunicorn_conf import *  # noqa: F403 - whatever the twins have

preload_app = False
