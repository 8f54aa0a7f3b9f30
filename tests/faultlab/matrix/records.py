"""The record of a run of the matrix: what was found in each cell, under which conditions, and how far it has come."""

import json
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from requests import ReadTimeout

from flask_restate.extension import SEND
from flask_todo_restate.settings import WebSettings
from tests.faultlab.submitted import ClientAnswer
from tests.support.history import Outcome, Verdict
from tests.support.run_environment import Record, RunRecord

WRITE_BUDGET_MS = 1000 * WebSettings.model_fields["write_budget"].default
"""How long the web of the Restate twin waits before it answers without a result."""


class CellEvent(Record):
    """One message or fault of a cell; `at` is in ms since the cell began.

    A message has a link and a direction. Of a fault and of its end, `link` names the process that was hit (or
    "everything"), which is drawn as gone from the one to the other.
    """

    at: float
    link: str = ""
    direction: Literal["to server", "to client"] | None = None
    kind: str
    label: str = ""


class Cell(Record):
    """One write that was stopped at one seam and hit by one fault there."""

    twin: str
    operation: str
    seam: str
    fault: str
    client: str
    expected: Verdict
    verdict: Verdict
    because: str
    expected_outcomes: tuple[Outcome, ...] = ()
    """What the first submission may be told, by the rules."""
    answers: Sequence[ClientAnswer] = ()
    """What the client was told by its submissions, in ms since the cell began."""
    effect: int | None = None
    """How many times it is in the database in the end; None where only the verdict was kept."""
    effect_when_held: int | None = None
    """How many times it was there while the message was held."""
    half: str = ""
    """Which part of it is there in the end without the other."""
    half_when_held: str = ""
    late: float | None = None
    """How many seconds after it was due a reminder was mailed."""
    events: Sequence[CellEvent] = ()

    @property
    def id(self) -> str:
        """Its name: twin/operation/seam/fault/client."""
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
        """Whether the verdict, and what the client was told at first, are as the rules say."""
        first = {answer.outcome for answer in self.answers[:1]} if self.expected_outcomes else set()
        return self.verdict is self.expected and first <= {*self.expected_outcomes}

    @property
    def too_slow(self) -> bool:
        """Whether a time-out ran out only because the machine was slow.

        The client's own, before that of the twin could; the web's, before the fault came; or that of the web's last
        question, whether Restate has the call. This says nothing of the twin. What there is in the end counts all the
        same.
        """
        timed_out = False
        for first in self.answers[:1]:
            timed_out = first.detail == ReadTimeout.__name__
            asks = [event.at for event in self.events if event.label.startswith(f"POST {SEND.format('')}")]
            timed_out |= first.detail.startswith("503") and any(WRITE_BUDGET_MS <= at <= first.at for at in asks)
        timed_out |= any(event.kind == "fault" and event.at > WRITE_BUDGET_MS for event in self.events)
        return timed_out and not self.as_expected and self.effect == 1 and not self.half

    @property
    def comparison(self) -> str:
        """What was found beside what the rules say: the verdicts, and what the client was told at first."""
        outcome = f", told {self.answers[0].outcome.value}" if self.answers else ""
        outcomes = f", told {' or '.join(o.value for o in self.expected_outcomes)}" if self.expected_outcomes else ""
        return f"{self.verdict.value}{outcome}; expected: {self.expected.value}{outcomes}"


class MatrixRun(RunRecord):
    """A run of the whole matrix, or of a part of it."""

    seed: int
    cells: Sequence[Cell]
    late: Mapping[str, Mapping[str, float]] = {}
    """By twin and fault: how many seconds after it was due a reminder was mailed, at most."""

    @property
    def unexpected(self) -> list[Cell]:
        """The cells that are not as the rules say."""
        return [cell for cell in self.cells if not cell.as_expected]


def latest(cells: Iterable[Cell]) -> dict[str, dict[str, float]]:
    """Return how late reminders were at most, in seconds, by twin and fault."""
    found: dict[str, dict[str, float]] = {}
    for cell in cells:
        if cell.late is not None:
            of_twin = found.setdefault(cell.twin, {})
            of_twin[cell.fault] = max(cell.late, of_twin.get(cell.fault, 0))
    return found


class Journal:
    """The cells of a run. An interrupted run goes on only with the selection, seed and code that it began with."""

    def __init__(self, path: Path, only: str, seed: int | None, write_path: str) -> None:
        """Go on with the run that was interrupted, or begin one; without a seed, with that of the interrupted one."""
        self._path = path
        lines = path.read_text().splitlines() if path.exists() else ["{}"]
        interrupted = json.loads(lines[0])
        self.seed: int = interrupted.get("seed", random.randrange(2**32)) if seed is None else seed
        header = {"only": only, "seed": self.seed, "write_path": write_path, "fields": sorted(Cell.model_fields)}
        self.resumed = interrupted == header
        if not self.resumed:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(header) + "\n")
        kept = map(Cell.model_validate_json, lines[1:] if self.resumed else ())
        self.cells = {cell.id: cell for cell in kept if not cell.too_slow}

    def add(self, cells: list[Cell]) -> None:
        """Write these cells down."""
        with self._path.open("a") as file:
            for cell in cells:
                self.cells[cell.id] = cell
                file.write(cell.model_dump_json() + "\n")

    def finish(self) -> None:
        """Forget the run: the next begins anew."""
        self._path.unlink()
