"""Serves the TodoService to Restate.

make and compose run `python -m flask_todo_restate.restate_server`. `hypercorn --bind 127.0.0.1:9080
flask_todo_restate.restate_server:app` also works; flask_restate.server says what that lacks.
"""

import logging
import os
import re

import restate
from restate.extensions import current_context

from flask_restate import OPERATION_HEADER, serve
from flask_todo_restate.services.database import ledger, sessions
from flask_todo_restate.services.meeting import meeting_service, meeting_workflow
from flask_todo_restate.services.notification import notification_service
from flask_todo_restate.services.payment import payment_object
from flask_todo_restate.services.reminder import reminder_object
from flask_todo_restate.services.todo_service import todo_service
from flask_todo_restate.settings import ServiceSettings
from todo_shared import logs, metrics, tracing
from todo_shared.features.outside import outside_settings
from todo_shared.settings import load
from todo_shared.thread_pool import WorkQueue, thread_pool

OPERATION_ID = re.compile(r"\w+/(?:\d+/)?\w+/(.+)\.[0-9a-f]{16}")
"""An operation's id: the handler's address, the key of the request, and what stands for its content."""

OUTSIDE_CALLS = 16
"""Steps that may wait for others at the same time without keeping those waiting that use a connection.

Mails have one meanwhile: half of all connections at most, or the only one.
"""

logs.install()
settings = load(ServiceSettings)
outside_settings()

app = restate.app(
    [todo_service, payment_object, notification_service, reminder_object, meeting_service, meeting_workflow],
    identity_keys=[settings.restate_identity_key],
)


def _ids_of_the_call() -> dict[str, str]:
    try:
        context = current_context()
    except LookupError:
        context = None
    if context is None:
        return {}
    call = context.request()
    request = OPERATION_ID.fullmatch(call.headers.get(OPERATION_HEADER, ""))
    return {"invocation_id": call.id, **({"request_id": request[1]} if request else {})}


def _measure() -> None:
    metrics.prepare(settings)
    if metrics.folder():
        from todo_shared import metrics_server

        server = metrics_server.Server(settings, sessions().kw["bind"], metrics.Asked())
        if settings.restate_service_workers > 1:
            os.register_at_fork(after_in_child=server.start)
        else:
            server.start()


def _end() -> None:
    tracing.stop()
    metrics.remove()


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    logging.getLogger().setLevel(settings.log_level.upper())
    logs.SOURCES.append(_ids_of_the_call)
    _measure()
    tracing.instrument()
    tracing.start("flask-todo-restate service")
    # More would wait for a connection, and take turns meanwhile.
    steps = thread_pool(settings.db_pool_size + OUTSIDE_CALLS, WorkQueue(settings.db_pool_size))
    serve(app, settings, threads=steps, ledger=ledger, at_end=_end)


if __name__ == "__main__":
    main()
