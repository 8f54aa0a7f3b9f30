"""Serves the TodoService to Restate.

make and compose run `python -m flask_todo_restate.restate_server`. `hypercorn --bind 127.0.0.1:9080
flask_todo_restate.restate_server:app` also works; flask_restate.server says what that lacks.
"""

import logging

import restate

from flask_restate import serve
from flask_todo_restate.services.database import ledger
from flask_todo_restate.services.meeting import meeting_service, meeting_workflow
from flask_todo_restate.services.notification import notification_service
from flask_todo_restate.services.payment import payment_object
from flask_todo_restate.services.reminder import reminder_object
from flask_todo_restate.services.todo_service import todo_service
from flask_todo_restate.settings import ServiceSettings
from todo_shared import printable_logs, tracing
from todo_shared.features.outside import outside_settings
from todo_shared.settings import load

OUTSIDE_CALLS = 16
"""Steps that may wait for others at the same time without keeping those waiting that use a connection."""

settings = load(ServiceSettings)
outside_settings()

app = restate.app(
    [todo_service, payment_object, notification_service, reminder_object, meeting_service, meeting_workflow],
    identity_keys=[settings.restate_identity_key],
)


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    printable_logs.install()
    logging.basicConfig(level=settings.log_level.upper(), format="%(levelname)s %(name)s: %(message)s")
    tracing.instrument()
    tracing.start("flask-todo-restate service")
    serve(app, settings, threads=settings.db_pool_size + OUTSIDE_CALLS, ledger=ledger, at_end=tracing.stop)


if __name__ == "__main__":
    main()
