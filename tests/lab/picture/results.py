"""What a run of the matrix has found: the contents of results.json."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, model_validator

from tests.lab.history import Outcome, Verdict

Twin: TypeAlias = Literal["basic", "restate"]
OperationKind: TypeAlias = Literal["add", "update", "delete"]
Client: TypeAlias = Literal["gives up", "resubmits"]

TWINS: tuple[Twin, ...] = ("basic", "restate")
OPERATIONS: tuple[OperationKind, ...] = ("add", "update", "delete")
CLIENTS: tuple[Client, ...] = ("gives up", "resubmits")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Machine(_Part):
    """Where the run was made."""

    cores: int
    memory_gib: float
    system: str


class Price(_Part):
    """What one twin costs when nothing fails."""

    add_p50_ms: float
    add_p99_ms: float
    processes: int
    memory_mb: float


class Seam(_Part):
    """A message at which a write of one twin can be stopped."""

    twin: Twin
    name: str
    link: str
    explains: str


class Fault(_Part):
    """What is done while the message is held."""

    name: str
    explains: str


class Told(_Part):
    """What the client was told, by one of its submissions; `at` is in ms since the cell began."""

    at: float
    outcome: Outcome
    detail: str = ""


class Event(_Part):
    """One line of a cell's record; `at` is in ms since the cell began.

    A message has a link and a direction. Of kind "fault" and "heal", `link` may name the process that it happened to
    (web, Restate, service or database, or everything), which is then drawn as gone from the one to the other.
    """

    at: float
    link: str = ""
    direction: Literal["to server", "to client"] | None = None
    kind: str
    label: str = ""


class Cell(_Part):
    """One write, stopped at one seam and met by one fault there."""

    twin: Twin
    operation: OperationKind
    seam: str
    fault: str
    client: Client
    expected: Verdict
    verdict: Verdict
    because: str
    foretold: tuple[Outcome, ...] = ()
    """What the first submission may be told, by the rules."""
    told: Sequence[Told] = ()
    effect: int
    """How many times it is in the database in the end."""
    rows_when_held: int | None = None
    """How many times it was there while the message was held."""
    events: Sequence[Event] = ()

    @property
    def id(self) -> str:
        """What selects this cell: `make compare ONLY="..."`."""
        return f"{self.twin}/{self.operation}/{self.seam}/{self.fault}/{self.client}"

    @property
    def anchor(self) -> str:
        """What opens this cell in the page."""
        return re.sub(r"[^a-zA-Z0-9_/]+", "-", self.id)

    @property
    def command(self) -> str:
        """What runs this cell again."""
        return f'make compare ONLY="{self.id}"'

    @property
    def as_expected(self) -> bool:
        """Whether the verdict, and what the client was told at first, are as the rules foretold."""
        return self.verdict is self.expected and (not self.told or self.told_as_foretold)

    @property
    def told_as_foretold(self) -> bool:
        """Whether the first submission was told what the rules foretold, if they did."""
        return not self.foretold or self.told[0].outcome in self.foretold


class Impossible(_Part):
    """A fault that cannot happen at a seam, and why."""

    twin: Twin
    seam: str
    fault: str
    because: str


class Results(_Part):
    """A whole run. Seams are in the order in which a write crosses them."""

    seed: int
    started: datetime
    seconds: float
    machine: Machine
    versions: dict[str, str]
    price: dict[Twin, Price] = {}
    seams: Sequence[Seam]
    faults: Sequence[Fault]
    cells: Sequence[Cell]
    impossible: Sequence[Impossible] = ()

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        seams, faults = {(seam.twin, seam.name) for seam in self.seams}, {fault.name for fault in self.faults}
        parts: list[Cell | Impossible] = [*self.cells, *self.impossible]
        for part in parts:
            if (part.twin, part.seam) not in seams:
                raise ValueError(f"the {part.twin} twin has no seam {part.seam!r}")
            if part.fault not in faults:
                raise ValueError(f"there is no fault {part.fault!r}")
        anchor, times = next(iter(Counter(cell.anchor for cell in self.cells).most_common(1)), ("", 0))
        if times > 1:
            raise ValueError(f"{times} cells are called {anchor}")
        return self

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read results.json."""
        return cls.model_validate_json(path.read_bytes())

    def write(self, path: Path) -> None:
        """Write results.json, compact, and at once: who reads it meanwhile sees the old or the new one."""
        draft = path.with_name(f".{path.name}.draft")
        draft.write_text(self.model_dump_json() + "\n", encoding="utf-8")
        draft.replace(path)

    def without_time_lines(self) -> Self:
        """Return the results as they are kept with the README: verdicts, but not how they came about."""
        bare = [cell.model_copy(update={"events": (), "told": ()}) for cell in self.cells]
        return self.model_copy(update={"cells": bare})

    @property
    def unexpected(self) -> list[Cell]:
        """The cells whose verdict is not the expected one."""
        return [cell for cell in self.cells if not cell.as_expected]

    def of(self, twin: Twin, client: Client | None = None) -> list[Cell]:
        """Return the cells of one twin, and of one behaviour of the client."""
        return [cell for cell in self.cells if cell.twin == twin and client in (None, cell.client)]


def count(cells: Iterable[Cell]) -> Counter[Verdict]:
    """Return how many cells came to each verdict."""
    return Counter(cell.verdict for cell in cells)
