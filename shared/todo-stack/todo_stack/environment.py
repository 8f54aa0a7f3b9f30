"""What a server gets of the environment: chosen here, for libraries obey variables that were set for others."""

import os
from collections.abc import Mapping

from pydantic_settings import BaseSettings

import flask_restate.settings
import flask_todo_restate.settings
import todo_shared.features.outside
import todo_shared.settings
from todo_stack.ports import SETTINGS

_FOR_ANY_PROGRAM = frozenset(
    {
        *("PATH", "HOME", "USER", "LOGNAME", "TMPDIR"),
        # How it finds its libraries, and what else is loaded.
        *("LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"),
        # Whom it trusts beyond this machine.
        *("SSL_CERT_FILE", "SSL_CERT_DIR"),
    }
)

_OURS = frozenset(
    name.upper()
    for module in (
        todo_shared.settings,
        todo_shared.features.outside,
        flask_restate.settings,
        flask_todo_restate.settings,
    )
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, BaseSettings)
    for name in kind.model_fields
)
"""The settings of the twins."""

_RESTATE = "RESTATE_"
"""Restate's settings begin so, and the Restate twin's; nothing else obeys them."""

_OTEL = "OTEL_"
"""The settings of OpenTelemetry begin so, but each server has its own name."""

_LIBPQ = "PG"
_OF_A_DATABASE = {"DATABASE_PASSWORD", "MIGRATION_DATABASE_URL"}
"""What counts, as libpq's variables do, only with a database of one's own."""

_SET_HERE = SETTINGS | {
    *("DATABASE_URL", "HOST", "SECRET_KEY", "OUTSIDE_WORLD_URL", "WEBHOOK_HOSTS"),
    *("RESTATE_SERVICE_URL", "RESTATE_SERVICE_SOCKET", "RESTATE_IDENTITY_KEY", "OTEL_SERVICE_NAME"),
    *("METRICS_HOST", "METRICS_PORT"),
}
"""What a process gets from us or not at all, whatever the environment says."""


def inherited(environment: Mapping[str, str], *, libpq: bool = False) -> dict[str, str]:
    """Return what of the environment all processes of a stack may see; libpq's variables only where that is asked for.

    A proxy for the internet, a locale or a time zone, options of Python, gunicorn or Flask are not among it.
    """
    prefixes = (_RESTATE, _OTEL, *([_LIBPQ] if libpq else []))
    names = (_FOR_ANY_PROGRAM | _OURS) - _SET_HERE - (set() if libpq else _OF_A_DATABASE)
    return {
        name: value
        for name, value in environment.items()
        if name in names or (name.startswith(prefixes) and name not in _SET_HERE)
    }


def forget_libpq() -> None:
    """Let libpq in this process do as it is told: the variables of the shell were set for other databases."""
    for name in [name for name in os.environ if name.startswith(_LIBPQ)]:
        del os.environ[name]
