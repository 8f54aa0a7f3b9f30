"""The durable step that does nothing once more, for hypercorn to serve, as the article does."""

import restate

from flask_restate import durable_service
from flask_todo_restate.restate_server import settings as of_the_endpoint
from flask_todo_restate.services.todo_service import settings
from tests.costs.measure.step_service import noop

hypercorn_service = durable_service("HypercornService", settings)
hypercorn_service.handler("by_hypercorn")(noop)

app = restate.app([hypercorn_service], identity_keys=[of_the_endpoint.restate_identity_key])
