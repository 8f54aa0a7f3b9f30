"""The web application: sends the task and waits for its result."""

from celery.exceptions import TimeoutError as ResultTimeoutError
from flask import Flask

from tests.costs.peers.celery_peer.tasks import add_todo
from tests.costs.peers.web import PeerSettings, PendingError, build
from todo_shared.schemas import TodoData, TodoRequest
from todo_shared.settings import load


def create_app() -> Flask:
    """Return the application."""
    settings = load(PeerSettings)

    def add(new: TodoRequest, key: str) -> TodoData:
        result = add_todo.apply_async((new.task, new.order), task_id=key)
        try:
            return TodoData(**result.get(timeout=settings.write_budget))
        except ResultTimeoutError:
            raise PendingError(key) from None

    return build("flask-todo-celery", settings, add)
