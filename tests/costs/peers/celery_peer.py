"""The durable add with Celery: a task in Redis, acknowledged when it is done, and a web that waits for its result.

A task whose worker dies is delivered again. It is done twice if its worker has committed and not acknowledged; Celery's
answer to that is a task that may be repeated, which an insert is not.
"""

from typing import Any

from celery import Celery
from celery.exceptions import TimeoutError as ResultTimeoutError
from celery.signals import worker_ready
from flask import Flask

from tests.costs.peers.sketch import insert_todo, sessions, settings, web_application
from todo_shared.models.database import DATABASE_UNAVAILABLE
from todo_shared.schemas import TodoRequest

REDIS_URL = f"redis://{settings.server_address}/0"

celery = Celery("todo", broker=REDIS_URL, backend=REDIS_URL)
# Under these settings it loses as little as it can.
celery.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        # A task takes milliseconds. By default that of a dead worker is delivered again after an hour,
        "visibility_timeout": 10,
        # and looked for every hundred seconds.
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
    },
)


@celery.task(autoretry_for=DATABASE_UNAVAILABLE, max_retries=None, retry_backoff=True, retry_backoff_max=2)
def add_todo(task: str, order: int | None) -> dict[str, Any]:
    """Add a todo and return it."""
    with sessions.begin() as session:
        return insert_todo(session, task, order)


@worker_ready.connect
def say_ready(**_: object) -> None:
    """Tell whoever has started the worker."""
    print("ready", flush=True)


def create_app() -> Flask:
    """Return the web application."""

    def add(new: TodoRequest, key: str) -> dict[str, Any]:
        result = add_todo.apply_async((new.task, new.order), task_id=key)
        try:
            return result.get(timeout=settings.write_budget)
        except ResultTimeoutError:
            raise TimeoutError from None

    return web_application("flask-todo-celery", add)
