"""Figures are what samples, the notes of a request, and source say."""

import random
import statistics
from collections.abc import Sequence

import pytest

from tests.costs.command import COSTS, PEER_COSTS
from tests.costs.floor import durable_add, over_floor
from tests.costs.lines_of_code import bare
from tests.costs.measure import MeasurementError, rounds
from tests.costs.measure.load_generator import Sample
from tests.costs.measure.waterfall import Stretch, between, durations
from tests.costs.peers import report
from tests.costs.peers.contestants import PEERS, Peer
from tests.costs.peers.records import PeerCosts
from tests.costs.records import BOTH, NOOP, Costs
from tests.costs.show.numbers import NONE, figure, ratio
from tests.costs.spread import Spread
from todo_stack.twins import PLAIN, RESTATE

KEPT, PEERS_KEPT = Costs.read(COSTS), PeerCosts.read(PEER_COSTS)

SOURCE = '''"""A module."""

LIMIT = 3  # a comment

class Thing:
    """A class."""

    def keep(self) -> str:
        """Return a text."""
        return "text"

    @property
    def drop(self) -> int:
        return LIMIT
'''


@pytest.mark.parametrize(
    ("number", "percent", "expected"),
    [(10, 90, 9), (100, 99, 99), (150, 99, 149), (1000, 99.9, 999), (9, 90, None), (99, 99, None), (999, 99.9, None)],
)
def test_percentile(number: int, percent: float, expected: float | None) -> None:
    """It is the nearest rank, whatever the order, and there is none where no request lies beyond it."""
    times = [float(time) for time in range(number, 0, -1)]
    assert rounds.percentile(times, percent) == expected
    # An open loop that runs until there are enough has a p99.9.
    assert rounds.percentile([1.0] * rounds.ENOUGH, 99.9) is not None


def sample(milliseconds: Sequence[float], seconds: float = 1) -> Sample:
    """Return a sample of these times."""
    return Sample(list(milliseconds), seconds, cpu_seconds=0.1)


def test_latency_is_of_all_rounds() -> None:
    """Rounds are pooled: a hundred requests have a p99 even if no round has as many; of nothing there is none."""
    found = rounds.latency([sample(range(first, 101, 4)) for first in (1, 2, 3, 4)])
    assert (found.p50, found.p90, found.p99, found.p999) == (50.5, 90, 99, None)
    with pytest.raises(statistics.StatisticsError):
        rounds.latency([])


def test_rounds() -> None:
    """The order changes from round to round; a slow round is slow on both sides, and its ratio like the others."""
    assert list(rounds.in_turns("ab", 3)) == ["a", "b", "b", "a", "a", "b"]
    assert rounds.spread([3, 1, 2, 10]) == Spread(median=2.5, low=1, high=10)
    slow, fast = ([sample([time * factor], time * factor) for time in (5, 50, 5)] for factor in (2, 1))
    assert rounds.ratios(slow, fast) == Spread(median=0.5, low=0.5, high=0.5)
    assert rounds.ratios(slow, fast, "p50") == Spread(median=2, low=2, high=2)
    with pytest.raises(ValueError, match="shorter"):
        rounds.ratios(slow, fast[:1])


@pytest.mark.parametrize(("number", "expected"), [(5, None), (6, (1, 6)), (9, (2, 8)), (17, (5, 13))])
def test_interval(number: int, expected: tuple[float, float] | None) -> None:
    """It lies between two ranks, whatever the order of the rounds; five cannot say where the median is."""
    assert rounds.interval(list(reversed(range(1, number + 1)))) == expected


def test_interval_has_the_median() -> None:
    """Of a hundred runs 95 do, give or take what chance does in 4,000 of them."""
    chance = random.Random(1)
    runs = [rounds.interval([chance.lognormvariate(0, 0.1) for _ in range(17)]) for _ in range(4000)]
    assert 0.94 < sum(low <= 1 <= high for low, high in filter(None, runs)) / len(runs) < 0.97


def test_stretches_add_up() -> None:
    """What the stretches take is what the client waited, whatever else was noted; another way is not made to fit."""
    places = {"begins": "client", "sends": "web", "client answered": "client"}
    stretches = [Stretch(f"until {until}", where, until) for until, where in places.items()]
    noted = [(1_000_000, "begins"), (1_500_000, "noise"), (4_000_000, "sends"), (9_000_000, "begins")]
    mine = between(noted, 500_000, 5_000_000)
    assert mine[0] == (500_000, "client sends")
    assert durations(stretches, mine) == [0.5, 3.0, 1.0]
    with pytest.raises(MeasurementError, match="sends"):
        durations(stretches, between([(1, "begins")], 0, 2))


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, NONE), (0, "0.00"), (9.994, "9.99"), (9.996, "10.0"), (16.44, "16.4"), (99.96, "100"), (1234.4, "1,234")],
)
def test_figures_have_three_digits(value: float | None, expected: str) -> None:
    """Three digits of a number count; what was not measured has a dash."""
    assert figure(value) == expected


def test_lines_that_do_something_are_counted() -> None:
    """Blank lines, comments and docstrings are not counted, nor what is left out with its decorators."""
    for without, lines in {(): 7, ("Thing.drop",): 4, ("Thing", "LIMIT"): 0}.items():
        assert sum(map(bool, bare(SOURCE, without).splitlines())) == lines
    with pytest.raises(LookupError, match=r"Thing\.gone"):
        bare(SOURCE, ["Thing.gone"])


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_every_contestant_has_code(peer: Peer) -> None:
    """Each contestant's source is there, and so is what of it is not counted."""
    assert sum(peer.lines().values()) > 10


def test_what_it_could_come_to() -> None:
    """The floor of a durable add is a plain one and a step in one piece; what takes less does more."""
    takes = durable_add(KEPT)
    assert takes
    assert takes.is_now > takes.at_least > takes.floor
    # All servers of both are at work at once, and take more for it than each by itself.
    assert takes.floor == pytest.approx(KEPT.cpu_ms(BOTH) or 0)
    assert takes.floor > sum(KEPT.cpu_ms(name) or 0 for name in (PLAIN.key, NOOP))
    for unmeasured in ("parts", "usage"):
        assert durable_add(KEPT.model_copy(update={unmeasured: ()})) is None
    own = next(row for row in PEERS_KEPT.rows if row.name == RESTATE.key)
    even = PEERS_KEPT.model_copy(update={"rows": [own, own.model_copy(update={"name": "outbox"})]})
    (*_, against) = [table for table in report.section(even, KEPT).tables if "against" in table.caption]
    adds, p50 = (row.cells[1:] for row in against.rows)
    assert adds == [ratio(takes.is_now / each) for each in takes]
    assert p50 == [ratio(1), NONE, ratio(over_floor(KEPT) or 0)]
    assert not [table for table in report.section(even).tables if "against" in table.caption]
