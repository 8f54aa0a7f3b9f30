"""gunicorn's settings for this twin: gunicorn --config python:flask_todo.gunicorn_conf."""

from gunicorn.workers.base import Worker

from flask_todo import reminder
from todo_shared.gunicorn_conf import *  # noqa: F403 - gunicorn reads every name in this module


def post_worker_init(worker: Worker) -> None:
    """Start the job in each process, because a thread does not survive a fork."""
    reminder.start(worker.wsgi)
