"""The applications that are measured beside the twins."""

import contextlib
from collections.abc import Iterator

from tests.costs.measure.extra_servers import ExtraServers
from tests.costs.measure.load_generator import ADD, call
from tests.costs.measure.running_apps import RunningApp
from tests.costs.records import BOTH, BY_HYPERCORN, MINIMAL, NOOP, WITH_RUN, WITHOUT_RUN
from tests.support.running_twin import restate_twin
from tests.support.service_endpoint import endpoint_beside, registered, service_endpoint
from todo_stack.database_roles import SUPERUSER
from todo_stack.output import Log
from todo_stack.ports import HOST, Ports
from todo_stack.stack import Stack
from todo_stack.twins import RESTATE

STEP_SERVICE = "tests.costs.measure.step_service"
HYPERCORN_SERVICE = ("hypercorn", "--workers", "0", "tests.costs.measure.hypercorn_service:app", "--bind")
"""Programs, which read their settings when they are imported."""


@contextlib.contextmanager
def step_apps(stack: Stack, log: Log) -> Iterator[list[RunningApp]]:
    """Yield the step that does nothing, by two servers, and an add with and without a step, called at the ingress.

    They are served by endpoints beside that of the Restate twin, in whose database they write.
    """
    database_url, twin = stack.database_url(RESTATE, SUPERUSER), restate_twin(stack)
    port = Ports.free().restate_service
    hypercorn = service_endpoint(twin, [*HYPERCORN_SERVICE, f"{HOST}:{port}"], port, log)
    with endpoint_beside(twin, [STEP_SERVICE], log) as endpoint, registered(hypercorn, twin, port):
        restate, database = ({name: stack.servers[name]} for name in ("restate", "db"))
        ours, theirs = ({**restate, "step_service": server} for server in (endpoint, hypercorn))
        yield [
            RunningApp(name, stack.ports.ingress_url, database_url, servers, call(f"{service}/{name}"))
            for name, service, servers in (
                (NOOP, "StepService", ours),
                (BY_HYPERCORN, "HypercornService", theirs),
                (WITH_RUN, "StepService", ours | database),
                (WITHOUT_RUN, "StepService", ours | database),
            )
        ]


def both_app(plain: RunningApp, noop: RunningApp) -> RunningApp:
    """Return the floor of a durable add in one piece: each client makes a plain add, and calls the step after it."""
    both = ADD._replace(then=(noop.url, noop.add))
    return RunningApp(BOTH, plain.url, plain.database, {**plain.servers, **noop.servers}, both)


def minimal_app(extra: ExtraServers) -> RunningApp:
    """Return a minimal Flask and psycopg2 insert, started beside the twins: what the plain twin's comfort costs."""
    database_url = extra.database(MINIMAL)
    server, url = extra.web(MINIMAL, "tests.costs.measure.minimal_app:create_app()", {"DATABASE_URL": database_url})
    return RunningApp(MINIMAL, url, database_url, {MINIMAL: server, "db": extra.stack.servers["db"]})
