"""Sections of tables: what is shown, before it is known where. Plots are in percent of the room that they have."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from tests.costs.spread import Spread


class Bar(NamedTuple):
    """From where to where; with a whisker, from the lowest to the highest round."""

    css: str
    start: float
    width: float
    low: float | None = None
    high: float | None = None
    title: str = ""


class Tick(NamedTuple):
    """A point on a scale, and what it says."""

    at: float
    label: str


class Plot(NamedTuple):
    """What is drawn in one line of a table: bars, or dots on a line, of which `css` is the class."""

    bars: Sequence[Bar] = ()
    dots: Sequence[Tick] = ()
    css: str = ""
    limit: float | None = None
    """Where a line stands that is not to be crossed."""


class Linear:
    """From nothing to the largest of these values."""

    def __init__(self, values: Iterable[float]) -> None:
        self._most = max(values, default=0) or 1

    def at(self, value: float) -> float:
        """Return where a value stands."""
        return round(100 * value / self._most, 2)

    def bar(self, value: float | Spread, css: str, limit: float | None = None) -> Plot:
        """Return the bar of a value, or that of a median, with whiskers."""
        if isinstance(value, Spread):
            return Plot([Bar(css, 0, self.at(value.median), self.at(value.low), self.at(value.high))])
        return Plot([Bar(css, 0, self.at(value))], limit=None if limit is None else self.at(limit))

    def chain(self, parts: Iterable[tuple[str, float, str]]) -> list[Bar]:
        """Return bars that begin where the one before ends: of each its class, value and title."""
        bars, end = [], 0.0
        for css, value, title in parts:
            bars.append(Bar(css, self.at(end), self.at(value), title=title))
            end += value
        return bars


class Logarithmic:
    """Powers of ten at equal distances, with room for these values: tails are many times the median."""

    def __init__(self, values: Iterable[float]) -> None:
        found = [value for value in values if value > 0] or [1]
        self._low = math.floor(math.log10(min(found)))
        self._high = max(math.ceil(math.log10(max(found))), self._low + 1)

    def at(self, value: float) -> float:
        """Return where a value stands."""
        return round(100 * (math.log10(max(value, 10**self._low)) - self._low) / (self._high - self._low), 2)

    @property
    def ticks(self) -> list[Tick]:
        """The powers of ten."""
        return [Tick(self.at(10**power), f"{10.0**power:g}") for power in range(self._low, self._high + 1)]


class Judged(NamedTuple):
    """A cell that says by itself whether it is good, bad or unknown."""

    text: str
    judgement: str = "bad"

    def __str__(self) -> str:
        return self.text


TableCell: TypeAlias = str | Judged


def harm(number: int) -> TableCell:
    """Return how often something happened that must not."""
    return Judged(f"{number:,}") if number else "0"


class Row(NamedTuple):
    """A line of a table, with what is drawn on the page between the words and the numbers."""

    cells: Sequence[TableCell]
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
