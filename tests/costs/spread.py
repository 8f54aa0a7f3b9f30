"""What is kept of a figure of several rounds, and of the times of many requests."""

from tests.support.run_environment import Record

PERCENTILES = {"p50": "p50", "p90": "p90", "p99": "p99", "p999": "p99.9"}
"""Their names by the field of Latency."""


class Spread(Record):
    """A figure of several rounds: the median, and the lowest and highest."""

    median: float
    low: float
    high: float
    interval: tuple[float, float] | None = None
    """Where the median of all such rounds lies, with 95 % confidence; None if they were too few to say."""


class Latency(Record):
    """Percentiles of the time of a request, in milliseconds, over all rounds.

    None where the requests were too few for it: a hundred have a slowest hundredth, ninety have none.
    """

    p50: float
    p90: float | None
    p99: float | None
    p999: float | None
