"""What `make bench-peers` has measured: the form of peers/results.json; and what peers.toml says of each contestant."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

from tests.costs.spread import Spread
from tests.support.control import COMPARED
from tests.support.history import Verdict
from tests.support.run_environment import Record, RunRecord
from todo_stack.twins import RESTATE


class About(Record):
    """What is to be known of a contestant beside the numbers."""

    name: str
    title: str
    durable: str
    """The settings that its promise rests on."""
    killed: str
    """Which process executes the write, and is killed."""
    not_comparable: str


_TITLES = {twin.key: {"title": twin.title} for twin in COMPARED}
_FILE = Path(__file__).with_name("peers.toml")
PEERS_FILE: Mapping[str, Mapping[str, Any]] = {
    name: {"name": name, **_TITLES.get(name, {}), **about} for name, about in tomllib.loads(_FILE.read_text()).items()
}
"""What peers.toml says of each contestant."""
ABOUT = {name: About(**{field: about[field] for field in About.model_fields}) for name, about in PEERS_FILE.items()}


class KillOutcome(Record):
    """What became of the adds of the bursts in whose middle the writing process was killed."""

    kills: int
    operations: int
    verdicts: Mapping[Verdict, int]


class PeerCost(Record):
    """One contestant."""

    name: str
    code: Mapping[str, int]
    """The lines that make its add durable, by file."""
    components: Sequence[str]
    """The servers that were started for it beside PostgreSQL and the web."""
    p50_ms: Spread
    """With one client, by round."""
    adds_per_second: Spread
    """With many clients, by round."""
    cpu_ms: Mapping[str, float]
    """Processor time of one add by server, with many clients: the web first."""
    kills: KillOutcome


OtherOperation: TypeAlias = Literal["delete", "pay"]
"""What the control does beside the add, and the twins as well; the sketches only add."""


class OperationCost(Record):
    """One of these operations, of one contestant."""

    operation: OtherOperation
    name: str
    """The contestant's."""
    p50_ms: Spread
    """With one client, by round."""
    per_second: Spread
    """With many clients, by round."""


class PeerCosts(RunRecord):
    """A whole run."""

    clients: int
    """Of the rounds' second half."""
    web_workers: int
    """gunicorn's processes, of every contestant."""
    web_threads: int
    """Threads in each that does the write itself."""
    waiting_threads: int
    """Threads in each that waits for another process to do it."""
    rows: Sequence[PeerCost]
    operations: Sequence[OperationCost] = ()
    """By operation; empty in a run that measured only the add."""
    skipped: Mapping[str, str] = {}
    """Contestants that could not be started here, with the reason."""

    @property
    def against_dbos(self) -> float | None:
        """How many times the adds per second of DBOS the Restate twin does, if both took part."""
        adds = {row.name: row.adds_per_second.median for row in self.rows}
        return adds[RESTATE.key] / adds["dbos"] if adds.keys() >= {RESTATE.key, "dbos"} else None
