"""Figures of many times: percentiles, and the spread over rounds."""

import statistics
from collections.abc import Sequence

from tests.bench.load import Sample
from tests.bench.results import Latency, Spread

ENOUGH = 1010
"""Requests that have a p99.9, and some more: one that comes a moment late must not make them too few."""


def percentile(milliseconds: Sequence[float], percent: float) -> float | None:
    """Return the time within which this share of the requests was answered (nearest rank).

    None if they are too few: one request at least must lie beyond it, or it would only be the slowest.
    """
    # Whole numbers: 0.1 percent has no exact binary form, and would be missed by a hair.
    beyond = round((100 - percent) * 10) * len(milliseconds)
    if beyond < 1000:
        return None
    return sorted(milliseconds)[len(milliseconds) - 1 - beyond // 1000]


def latency(samples: Sequence[Sample]) -> Latency:
    """Return the percentiles of all these samples together.

    Raises:
        statistics.StatisticsError: there is no request in them.

    """
    pooled = [time for sample in samples for time in sample.milliseconds]
    return Latency(
        p50=round(statistics.median(pooled), 3),
        p90=percentile(pooled, 90),
        p99=percentile(pooled, 99),
        p999=percentile(pooled, 99.9),
    )


def spread(values: Sequence[float]) -> Spread:
    """Return the median of the rounds, the lowest and the highest.

    Raises:
        statistics.StatisticsError: there was no round.

    """
    return Spread(median=round(statistics.median(values), 4), low=round(min(values), 4), high=round(max(values), 4))


def ratios(above: Sequence[float], below: Sequence[float]) -> Spread:
    """Return the spread of the quotients, round by round.

    What slows the machine down slows both sides of a round down, and so is not in their quotient.

    Raises:
        ValueError: the one has more rounds than the other.

    """
    return spread([one / other for one, other in zip(above, below, strict=True)])
