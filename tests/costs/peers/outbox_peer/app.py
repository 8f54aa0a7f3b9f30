"""The web application: writes the request into the outbox and waits for its result."""

from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from tests.costs.peers.outbox_peer.answers import Answers, wait
from tests.costs.peers.outbox_peer.table import NEW, OutboxRow
from tests.costs.peers.web import PeerSettings, PendingError, build
from todo_shared.models import db
from todo_shared.models.database import complete_url
from todo_shared.schemas import TodoData, TodoRequest
from todo_shared.settings import load


def create_app() -> Flask:
    """Return the application."""
    settings = load(PeerSettings)
    url = complete_url(settings).set(drivername="postgresql").render_as_string(hide_password=False)
    answers = Answers(url)

    def add(new: TodoRequest, key: str) -> TodoData:
        request = insert(OutboxRow).values(key=key, task=new.task, order=new.order).on_conflict_do_nothing()
        with answers.expected(key) as answer:
            is_new = db.session.scalar(request.returning(OutboxRow.key))
            db.session.execute(select(func.pg_notify(NEW, "")))
            db.session.commit()
            todo = wait(answer, settings.write_budget) if is_new else None
        # A repeated request finds what the first has come to.
        todo = todo or db.session.scalar(select(OutboxRow.result).where(OutboxRow.key == key))
        if todo is None:
            raise PendingError(key)
        return TodoData(**todo)

    return build("flask-todo-outbox", settings, add)
