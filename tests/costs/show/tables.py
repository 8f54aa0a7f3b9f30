"""Sections of tables: what is shown, before it is known where."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

from tests.costs.show.plots import Plot, Tick


class Judged(NamedTuple):
    """A cell that says by itself whether it is good, bad or unknown."""

    text: str
    judgement: str = "bad"

    def __str__(self) -> str:
        return self.text


Cell: TypeAlias = str | Judged


def harm(number: int) -> Cell:
    """Return how often something happened that must not."""
    return Judged(f"{number:,}") if number else "0"


class Row(NamedTuple):
    """A line of a table, with what is drawn on the page between the words and the numbers."""

    cells: Sequence[Cell]
    plot: Plot | None = None


class Table(NamedTuple):
    """Words at the left, numbers at the right, and a sentence that belongs to them."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Row]
    words: int = 1
    """So many columns are words."""
    ticks: Sequence[Tick] = ()
    """Of a scale above the plots."""
    note: str = ""

    @property
    def plotted(self) -> bool:
        """Whether it has a column for plots."""
        return any(row.plot for row in self.rows)


class Section(NamedTuple):
    """Tables that answer one question."""

    key: str
    title: str
    intro: str
    tables: Sequence[Table]
    legend: Mapping[str, str] = {}
    """Names by the class of their colour."""
    notes: Sequence[tuple[str, str]] = ()
    """What else is to be known, each with what it is about."""
