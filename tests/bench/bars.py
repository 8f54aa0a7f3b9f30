"""Where the bars and dots of the page stand, in percent of the room that they have."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.bench.results import Hop, Latency, Spread


@dataclass(frozen=True)
class Bar:
    """From where to where; with whiskers, from the lowest to the highest round."""

    css: str
    start: float
    width: float
    low: float | None = None
    high: float | None = None
    title: str = ""


@dataclass(frozen=True)
class Dot:
    """A point on a line."""

    at: float
    label: str


@dataclass(frozen=True)
class Tick:
    """A mark of a scale."""

    at: float
    label: str


class Linear:
    """From nothing to the largest value."""

    def __init__(self, values: Iterable[float]) -> None:
        """Take the values that must have room."""
        self._most = max(values, default=0) or 1

    def at(self, value: float) -> float:
        """Return where a value stands."""
        return round(100 * value / self._most, 2)

    def bar(self, value: float, css: str) -> Bar:
        """Return the bar of a value."""
        return Bar(css, 0, self.at(value))

    def bar_of(self, spread: Spread, css: str) -> Bar:
        """Return the bar of the median, with whiskers."""
        return Bar(css, 0, self.at(spread.median), self.at(spread.low), self.at(spread.high))

    def stack(self, values: Sequence[tuple[str, float, str]]) -> list[Bar]:
        """Return bars one after the other: of each its class, value and title."""
        bars, start = [], 0.0
        for css, value, title in values:
            bars.append(Bar(css, self.at(start), self.at(value), title=title))
            start += value
        return bars

    def chain(self, hops: Sequence[Hop]) -> list[Bar]:
        """Return bars, each in a line of its own, that begin where the one before ends."""
        return self.stack([(f"w-{hop.where.lower()}", hop.milliseconds, hop.name) for hop in hops])


class Logarithmic:
    """Powers of ten at equal distances: tails are many times the median."""

    def __init__(self, values: Iterable[float]) -> None:
        """Take the values that must have room; all are above zero."""
        found = [value for value in values if value > 0] or [1]
        self._low = math.floor(math.log10(min(found)))
        self._high = max(math.ceil(math.log10(max(found))), self._low + 1)

    def at(self, value: float) -> float:
        """Return where a value stands."""
        value = max(value, 10**self._low)
        return round(100 * (math.log10(value) - self._low) / (self._high - self._low), 2)

    @property
    def ticks(self) -> list[Tick]:
        """The powers of ten."""
        return [Tick(self.at(10**power), f"{10.0**power:g}") for power in range(self._low, self._high + 1)]

    def dots(self, latency: Latency) -> list[Dot]:
        """Return the percentiles that there are, from the median on."""
        named = (("p50", latency.p50), ("p90", latency.p90), ("p99", latency.p99), ("p99.9", latency.p999))
        return [Dot(self.at(value), name) for name, value in named if value is not None]
