"""How many connections the pools of all processes may take together, and how many the database gives."""

import contextlib
from collections.abc import Iterable, Mapping

import psycopg2

from flask_restate.settings import EndpointSettings
from todo_shared.settings import Settings, parse_database_url
from todo_stack.errors import StackError
from todo_stack.process import Process
from todo_stack.size import split
from todo_stack.twins import RESTATE

_DEFAULTS = {**Settings.model_fields, **EndpointSettings.model_fields}

_LIMIT = (
    "SELECT sum(CASE name WHEN 'max_connections' THEN 1 ELSE -1 END * setting::int) FROM pg_settings"
    " WHERE name IN ('max_connections', 'superuser_reserved_connections', 'reserved_connections')"
)


def too_many(database_url: str, servers: Iterable[Process]) -> str:
    """Say how many connections all these may take, if that is more than there are: who finds none waits.

    Raises StackError: the database does not answer.
    """
    wanted = sum(map(_most_of, servers))
    address = parse_database_url(database_url)
    _, arguments = address.get_dialect()().create_connect_args(address)
    try:
        connecting = psycopg2.connect(**{"connect_timeout": 5, **arguments})
        with contextlib.closing(connecting) as connection, connection.cursor() as cursor:
            cursor.execute(_LIMIT)
            ((limit,),) = cursor.fetchall()
    except psycopg2.Error as error:
        raise StackError(
            f"the database does not say how many connections it gives: {str(error).splitlines()[0]}"
        ) from None
    if wanted <= limit:
        return ""
    return (
        f"the pools of all processes may take {wanted} connections, and PostgreSQL gives {limit}:"
        " make DB_POOL_SIZE smaller, or start fewer of them"
    )


def _most_of(server: Process) -> int:
    """Return how many connections the processes of a server may take."""
    setting = "RESTATE_SERVICE_WORKERS" if split(server.name)[0] == RESTATE.writer else "WEB_WORKERS"
    # And one of its own for each scrape.
    return _number(server.env, "DB_POOL_SIZE") * _number(server.env, setting) + ("METRICS_PORT" in server.env)


def _number(environment: Mapping[str, str], setting: str) -> int:
    """Return the setting or its default; one that is no number is told by the server that reads it."""
    value = environment.get(setting) or ""
    return int(value) if value.isdecimal() else _DEFAULTS[setting.lower()].default
