"""Sections of tables: what is shown, before it is known where."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from tests.costs.show.plots import Plot, Tick


@dataclass(frozen=True)
class Judged:
    """A cell that says by itself whether it is good."""

    text: str
    good: bool | None = False
    """None if nobody knows."""

    @property
    def judgement(self) -> str:
        """The name of its style."""
        return {True: "good", False: "bad", None: "unknown"}[self.good]

    def __str__(self) -> str:
        return self.text


Cell: TypeAlias = str | Judged


@dataclass(frozen=True)
class Row:
    """A line of a table."""

    cells: Sequence[Cell]
    plot: Plot | None = None
    """Drawn on the page, between the words and the numbers."""


@dataclass(frozen=True)
class Table:
    """Words at the left, numbers at the right."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Row]
    words: int = 1
    """So many columns are words; the others are numbers."""
    ticks: Sequence[Tick] = ()
    """Of a scale above the plots."""
    note: str = ""
    """A sentence that belongs to it."""

    @property
    def plotted(self) -> bool:
        """Whether it has a column for plots."""
        return any(row.plot for row in self.rows)


@dataclass(frozen=True)
class Section:
    """Tables that answer one question."""

    key: str
    title: str
    intro: str
    tables: Sequence[Table]
    legend: Mapping[str, str] = field(default_factory=dict)
    """Names by the class of their colour."""
    notes: Sequence[tuple[str, str]] = ()
    """What else is to be known, each with what it is about."""


def rows_of(*cells: Sequence[Cell]) -> list[Row]:
    """Return rows without plots."""
    return [Row(each) for each in cells]
