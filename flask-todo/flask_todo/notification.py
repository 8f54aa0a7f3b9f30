"""Tell the watcher: a todo that is completed is told to its watcher, after it is stored."""

import uuid

import requests
from flask import current_app

from todo_shared.features import watcher
from todo_shared.features.errors import ConflictError
from todo_shared.features.outside import OutsideWorld
from todo_shared.features.schemas import CompletedRequest, WatcherData, WatcherRequest
from todo_shared.models import db
from todo_shared.models.database import DATABASE_ERRORS
from todo_shared.schemas import TodoItemRequest, UpdatedData

world = OutsideWorld("plain")


def set_watcher(req: WatcherRequest) -> WatcherData:
    """Set the watcher."""
    data = watcher.set_watcher(db.session, req)
    db.session.commit()
    return data


def drop_watcher(req: TodoItemRequest) -> None:
    """Take the watcher away."""
    watcher.drop_watcher(db.session, req.todo_id)
    db.session.commit()


def notify(todo: UpdatedData) -> None:
    """Call the watcher, if there is one to call; a failure is logged and shown, and changes nothing else."""
    if not todo.completion:
        return
    completed = CompletedRequest.of(todo, todo.completion, str(uuid.uuid4()))
    error = None
    try:
        watcher.call(world, completed)
    except (ConflictError, requests.RequestException) as failure:
        current_app.logger.warning("the watcher of todo %d was not told: %s", todo.id, failure)
        error = str(failure) if isinstance(failure, ConflictError) else "It does not answer as it should."
    try:
        watcher.record_call(db.session, completed, error)
        db.session.commit()
    except DATABASE_ERRORS:
        # The todo is completed all the same. That the database fails is in the log.
        db.session.rollback()
