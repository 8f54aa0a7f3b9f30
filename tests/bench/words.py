"""How contestants, servers and figures are written, in the page, the terminal and the README."""

from collections.abc import Mapping

from tests.bench.results import Contestant, OperationName, Results, Spread
from tests.lab.picture.results import Machine

NAMES: Mapping[Contestant, str] = {
    "basic": "flask-todo",
    "restate": "flask-todo-restate",
    "minimal": "minimal Flask and psycopg2",
}
SHORT: Mapping[Contestant, str] = {"basic": "plain", "restate": "Restate", "minimal": "minimal"}

PLURALS: Mapping[OperationName, str] = {"add": "adds", "update": "updates", "delete": "deletes", "list": "lists"}

PLACES: Mapping[str, str] = {
    "flask-todo": "web",
    "flask-todo-restate": "web",
    "restate": "Restate",
    "restate_app": "service",
    "db": "database",
}
"""Of each server, as the hops of a write are called."""

NONE = "\N{EN DASH}"
TIMES = "\N{MULTIPLICATION SIGN}"

_VERSIONS = ("PostgreSQL", "Restate", "Python", "Flask")


def figure(value: float | None) -> str:
    """Return a number with three digits that count, or a dash for none: 0.47, 4.53, 16.4, 188, 1,234."""
    if value is None:
        return NONE
    for digits, below in ((2, 9.995), (1, 99.95)):
        if abs(value) < below:
            return f"{value:,.{digits}f}"
    return f"{value:,.0f}"


def times(spread: Spread) -> str:
    """Return a ratio."""
    return f"{figure(spread.median)} {TIMES}"


def times_and_spread(spread: Spread) -> str:
    """Return a ratio with the lowest and the highest of its rounds."""
    return f"{times(spread)} ({figure(spread.low)} to {figure(spread.high)})"


OUTAGES_SECONDS = (1, 10, 60, 300)


def meant(outage_seconds: float) -> int:
    """Return how long an outage was meant to last: those in the background last on while something else is measured."""
    return max((seconds for seconds in OUTAGES_SECONDS if seconds <= outage_seconds), default=OUTAGES_SECONDS[0])


def described(machine: Machine) -> str:
    """Return the machine in words."""
    cores = "1 core" if machine.cores == 1 else f"{machine.cores} cores"
    return f"{machine.system}, {cores}, {machine.memory_gib:g} GiB"


def measured(results: Results) -> str:
    """Return when, where and with what it was measured, in a sentence."""
    versions = ", ".join(f"{name} {results.versions[name]}" for name in _VERSIONS if name in results.versions)
    return f"Measured on {results.started:%Y-%m-%d} on {described(results.machine)}, with {versions}."
