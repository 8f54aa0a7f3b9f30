"""How many of each server there are: one of everything, or a cluster."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Self

from todo_stack.errors import StackError

MOST = 9
"""So many ports lie between those of two servers."""
FEWEST = 3
"""The nodes of a cluster: of two, neither can go on alone."""


def _number(setting: str) -> int:
    number: int = field(default=1, metadata={"setting": setting})
    return number


@dataclass(frozen=True)
class Size:
    """How many of each server a stack has. The first of a kind has the plain name, the second ends in `_2`."""

    nodes: int = _number("NODES")
    """Restate servers: one, or a cluster that goes on without one of them."""
    services: int = _number("SERVICES")
    """Processes that run the handlers, behind one address."""
    webs: int = _number("WEBS")
    """Web servers of each twin, behind one address."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the numbers from their settings."""
        settings = {each.name: each.metadata["setting"] for each in fields(cls)}
        given = {name: setting for name, setting in settings.items() if environment.get(setting)}
        size = cls(**{name: _parse(setting, environment[setting]) for name, setting in given.items()})
        if 1 < size.nodes < FEWEST:
            raise StackError(f"NODES: 2 nodes can do nothing without one of them: it must be 1, or {FEWEST} to {MOST}")
        return size


ONE = Size()


def numbered(name: str, number: int) -> str:
    """Return the name of the server of a kind that has this number, beginning with 1."""
    return name if number == 1 else f"{name}_{number}"


def split(name: str) -> tuple[str, int]:
    """Return the kind of a server, which is the name of its first, and its number."""
    kind, _, number = name.rpartition("_")
    return (kind, int(number)) if number.isdecimal() else (name, 1)


def _parse(setting: str, value: str) -> int:
    if not (value.isascii() and value.isdecimal() and 1 <= int(value) <= MOST):
        raise StackError(f"{setting}: {value!r} is not a number from 1 to {MOST}")
    return int(value)
