"""The order of a start: together what depends on nothing, and the rest as soon as what it needs is there."""

from collections.abc import Callable

from todo_stack.parts import Parts
from todo_stack.process import Process
from todo_stack.twins import RESTATE


def start_in_order(parts: Parts, spawn: Callable[[Process], None]) -> None:
    """Start the servers and run the steps between them; return when every server is healthy.

    `spawn` starts a process without waiting, and remembers it for the end.

    Raises:
        StackError: if a server or a step fails.
        StopRequested: if that was asked for meanwhile.

    """
    servers, make, twins = parts.servers, parts.applications, parts.applications.plan.twins
    if RESTATE in twins:
        spawn(servers["restate"])
    if parts.postgres:
        parts.postgres.prepare()
        spawn(servers["db"])
        servers["db"].wait_ready()
        parts.postgres.create_databases(twin.database for twin in twins)
    migrations = [make.migration(twin) for twin in twins]
    for migration in migrations:
        spawn(migration)
    for migration in migrations:
        migration.finish()
    if RESTATE in twins:
        spawn(servers["restate_app"])
    for twin in twins:
        spawn(servers[twin.title])
    if RESTATE in twins:
        servers["restate"].wait_ready()
        servers["restate_app"].wait_ready()
        registration = make.registration()
        spawn(registration)
        registration.finish()
    for twin in twins:
        servers[twin.title].wait_ready()
