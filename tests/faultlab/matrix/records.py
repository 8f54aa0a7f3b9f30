"""The record of a run of the matrix: what was found in each cell, and under which conditions."""

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from tests.support.history import Outcome, Verdict
from tests.support.run_environment import Machine


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Told(_Record):
    """What the client was told by one of its submissions; `at` is in ms since the cell began."""

    at: float
    outcome: Outcome
    detail: str = ""


class CellEvent(_Record):
    """One message or fault of a cell; `at` is in ms since the cell began.

    A message has a link and a direction. Of a fault and of its end, `link` names the process that was hit (or
    "everything"), which is drawn as gone from the one to the other.
    """

    at: float
    link: str = ""
    direction: Literal["to server", "to client"] | None = None
    kind: str
    label: str = ""


class Cell(_Record):
    """One write that was stopped at one seam and hit by one fault there."""

    twin: str
    operation: str
    seam: str
    fault: str
    client: str
    expected: Verdict
    verdict: Verdict
    because: str
    foretold: tuple[Outcome, ...] = ()
    """What the first submission may be told, by the rules."""
    told: Sequence[Told] = ()
    effect: int | None = None
    """How many times it is in the database in the end; None where only the verdict was kept."""
    rows_when_held: int | None = None
    """How many times it was there while the message was held."""
    events: Sequence[CellEvent] = ()

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
        told_as_foretold = not self.told or not self.foretold or self.told[0].outcome in self.foretold
        return self.verdict is self.expected and told_as_foretold


class MatrixRun(_Record):
    """A run of the whole matrix, or of a part of it."""

    seed: int
    started: datetime
    seconds: float
    machine: Machine
    versions: dict[str, str]
    write_path: str
    """The hash of the code that was tried."""
    cells: Sequence[Cell]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a run from its JSON."""
        return cls.model_validate_json(path.read_bytes())

    def write(self, path: Path) -> None:
        """Write the run as JSON, at once: who reads it meanwhile sees the old or the new one."""
        draft = path.with_name(f".{path.name}.draft")
        draft.write_text(self.model_dump_json(exclude_defaults=True) + "\n", encoding="utf-8")
        draft.replace(path)

    @property
    def unexpected(self) -> list[Cell]:
        """The cells that are not as the rules foretold."""
        return [cell for cell in self.cells if not cell.as_expected]
