"""The plan of a stack: what it is to consist of, and what its processes inherit."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from todo_stack import postgres
from todo_stack.output import Log
from todo_stack.ports import Ports
from todo_stack.twins import Twin


@dataclass(frozen=True)
class Plan:
    """Describes a stack; what each field means is said where a stack is made."""

    twins: Sequence[Twin]
    data: Path
    ports: Ports
    external_database: str | None
    log: Log
    overrides: Mapping[str, Mapping[str, str]]
    environment: Mapping[str, str]
    cancelled: threading.Event

    @property
    def wanted_ports(self) -> list[str]:
        """The ports that must be free, by field name."""
        ours = [] if self.external_database else ["postgres"]
        return ours + [port for twin in self.twins for port in twin.ports]

    def database_url(self, twin: Twin) -> str:
        """Return the address of a twin's database, as it is without any override."""
        return self.external_database or postgres.address(self.ports.postgres, twin.database)

    def env(self, name: str, settings: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment of a server or step: inherited, then these settings, then what overrides them."""
        return {**self.environment, **(settings or {}), **self.overrides.get(name, {})}
