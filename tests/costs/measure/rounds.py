"""Rounds, in which those that are compared take turns, and the figures of their samples."""

import math
import statistics
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from tests.costs.measure.load_generator import Sample
from tests.costs.spread import Latency, Spread

ENOUGH = 1010
"""Requests that have a p99.9, and some more: one that comes a moment late must not make them too few."""

Anyone = TypeVar("Anyone")


def in_turns(everyone: Sequence[Anyone], rounds: int) -> Iterator[Anyone]:
    """Yield these in each round, in the other order in every other one: none always comes first.

    A machine that becomes slower does so for all of them.
    """
    for number in range(rounds):
        yield from reversed(everyone) if number % 2 else everyone


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
    """Return the percentiles of all these samples together; raises statistics.StatisticsError if they are empty."""
    pooled = [time for sample in samples for time in sample.milliseconds]
    p90, p99, p999 = (percentile(pooled, percent) for percent in (90, 99, 99.9))
    return Latency(p50=round(statistics.median(pooled), 3), p90=p90, p99=p99, p999=p999)


def answers_and_latency(samples: Sequence[Sample]) -> dict[str, Any]:
    """Return how many answers there were, and their percentiles, as fields of a record."""
    return {"answers": sum(len(sample.milliseconds) for sample in samples), "latency_ms": latency(samples)}


def spread(values: Sequence[float]) -> Spread:
    """Return the median of the rounds, the lowest and the highest; raises statistics.StatisticsError without any."""
    return Spread(
        median=round(statistics.median(values), 4),
        low=round(min(values), 4),
        high=round(max(values), 4),
        interval=interval(values),
    )


def interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return where the median of ever more such rounds would lie, with 95 % confidence at least; None if they are few.

    It is that of the sign test: each round is above the true median as often as below, and none depends on another.
    Source: https://en.wikipedia.org/wiki/Sign_test.
    """
    number, rank, beyond = len(values), 0, 0.0
    while (beyond := beyond + math.comb(number, rank) / 2**number) <= 0.025:
        rank += 1
    in_order = sorted(values)
    return (round(in_order[rank - 1], 4), round(in_order[-rank], 4)) if rank else None


def throughput(samples: Sequence[Sample]) -> Spread:
    """Return the answers per second, by round."""
    return spread([sample.throughput for sample in samples])


def ratios(above: Sequence[Sample], below: Sequence[Sample], figure: str = "throughput") -> Spread:
    """Return the spread of the quotients, round by round; raises ValueError if the one has more rounds than the other.

    What slows the machine down slows both sides of a round down, and so is not in their quotient.
    """
    pairs = zip(above, below, strict=True)
    return spread([getattr(one, figure) / getattr(other, figure) for one, other in pairs])
