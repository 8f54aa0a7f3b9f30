"""The task, and the settings under which Celery loses as little as it can.

A task is acknowledged when it is done, so one whose worker dies is delivered again. It is done twice if its worker has
committed and not acknowledged; Celery's answer to that is a task that may be repeated, which an insert is not.
"""

from typing import Any

from celery import Celery
from celery.signals import worker_ready

from tests.costs.peers import database
from todo_shared.models.database import DATABASE_UNAVAILABLE
from todo_shared.settings import DatabaseSettings, load


class CelerySettings(DatabaseSettings):
    """What the worker and the web application read from the environment."""

    redis_url: str
    """Where tasks and results are."""


settings = load(CelerySettings)
celery = Celery("todo", broker=settings.redis_url, backend=settings.redis_url)
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
    with database.sessions().begin() as session:
        return database.add(session, task, order)


@worker_ready.connect
def say_ready(**_: object) -> None:
    """Tell who has started the worker."""
    print("ready", flush=True)
