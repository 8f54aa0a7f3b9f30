"""What a run has found: the contents of peers.json."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict

from tests.lab.history import Verdict
from tests.lab.picture.results import Machine


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Round(_Part):
    """One of the rounds in which the contestants took turns."""

    p50_ms: float
    """The median time of an add with one client."""
    adds_per_second: float
    """With many clients."""


class Kills(_Part):
    """What became of the adds of the bursts in whose middle the writing process was killed."""

    kills: int
    operations: int
    pending: int
    """How many of their clients were told that it will be done."""
    settled_after_seconds: float
    """From the last answer until nothing was left to do."""
    verdicts: Mapping[Verdict, int]


class Row(_Part):
    """One contestant."""

    name: str
    title: str
    lines: int
    code: Mapping[str, int]
    """The lines by file."""
    components: Sequence[str]
    """The servers that were started for it beside PostgreSQL and the web."""
    p50_ms: float
    """With one client, of all rounds."""
    adds_per_second: float
    """With many clients, the median of the rounds."""
    rounds: Sequence[Round]
    kills: Kills
    durable: str
    killed: str
    not_comparable: str


class Results(_Part):
    """A whole run."""

    started: datetime
    seconds: float
    machine: Machine
    versions: Mapping[str, str]
    clients: int
    """Of the rounds' second half."""
    web_workers: int
    """gunicorn's processes, of every contestant."""
    web_threads: int
    """Threads in each that does the write itself."""
    waiting_threads: int
    """Threads in each that waits for another process to do it."""
    rows: Sequence[Row]
    skipped: Mapping[str, str] = {}
    """Contestants that could not be started here, with the reason."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read peers.json."""
        return cls.model_validate_json(path.read_bytes())

    def write(self, path: Path) -> None:
        """Write peers.json at once: who reads it meanwhile sees the old or the new one."""
        draft = path.with_name(f".{path.name}.draft")
        draft.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")
        draft.replace(path)

    def row(self, name: str) -> Row | None:
        """Return a contestant by name, if it took part."""
        return next((row for row in self.rows if row.name == name), None)

    def throughput_ratio(self, name: str, other: str) -> float | None:
        """Return how many times the adds per second of the other one has, if both took part."""
        one, two = self.row(name), self.row(other)
        return one.adds_per_second / two.adds_per_second if one and two else None
