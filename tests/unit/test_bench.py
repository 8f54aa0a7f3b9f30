"""Figures and targets of make bench are what the samples say."""

import statistics
from collections.abc import Sequence
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.bench import figures
from tests.bench.load import Sample
from tests.bench.results import Drain, Recovery, Results, Spread
from tests.bench.show import against_dbos, latest_peers
from tests.bench.targets import Target, targets
from tests.bench.words import NONE, TIMES, figure, meant
from tests.unit.made_up_bench import made_up


def sample(milliseconds: Sequence[float]) -> Sample:
    """Return a sample of a second with these times."""
    return Sample(list(milliseconds), seconds=1, cpu_seconds=0.1)


@pytest.mark.parametrize(
    ("number", "percent", "expected"),
    [
        (10, 90, 9),
        (100, 90, 90),
        (100, 99, 99),
        (150, 99, 149),
        (1000, 99.9, 999),
        (2000, 99.9, 1998),
        (9, 90, None),
        (99, 99, None),
        (999, 99.9, None),
    ],
)
def test_percentile(number: int, percent: float, expected: float | None) -> None:
    """It is the nearest rank, whatever the order, and there is none where no request lies beyond it."""
    times = [float(time) for time in range(number, 0, -1)]
    assert figures.percentile(times, percent) == expected


def test_latency_is_of_all_rounds() -> None:
    """Rounds are pooled: a hundred requests have a p99 even if no round has as many."""
    rounds = [sample(range(first, 101, 4)) for first in (1, 2, 3, 4)]
    found = figures.latency(rounds)
    assert (found.p50, found.p90, found.p99, found.p999) == (50.5, 90, 99, None)


def test_latency_of_nothing() -> None:
    """There is no figure where nothing was measured."""
    with pytest.raises(statistics.StatisticsError):
        figures.latency([])


def test_enough_requests() -> None:
    """An open loop that runs until there are enough has a p99.9."""
    assert figures.percentile([1.0] * figures.ENOUGH, 99.9) is not None


def test_spread() -> None:
    """It is the median, the lowest and the highest."""
    assert figures.spread([3, 1, 2, 10]) == Spread(median=2.5, low=1, high=10)


def test_ratios_are_of_rounds() -> None:
    """A round in which the machine was slow is slow on both sides, and its ratio like the others."""
    assert figures.ratios([5, 50, 5], [10, 100, 10]) == Spread(median=0.5, low=0.5, high=0.5)
    with pytest.raises(ValueError, match="shorter"):
        figures.ratios([1, 2], [1])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, NONE),
        (0, "0.00"),
        (0.474, "0.47"),
        (9.994, "9.99"),
        (9.996, "10.0"),
        (16.44, "16.4"),
        (99.96, "100"),
        (188.4, "188"),
        (1234.4, "1,234"),
    ],
)
def test_figure(value: float | None, expected: str) -> None:
    """Numbers have three digits that count."""
    assert figure(value) == expected


def judged(results: Results, against_dbos: float | None = None) -> dict[str, Target]:
    """Return the targets by the first word or two that tell them apart."""
    names = ("p50", "throughput", "DBOS", "reads", "minimal", "recovery", "drain", "memory")
    return dict(zip(names, targets(results, against_dbos), strict=True))


def with_ratio(results: Results, operation: str, clients: int, **fields: Spread) -> Results:
    """Return the results with one ratio changed."""
    ratios = [
        ratio.model_copy(update=fields) if (ratio.operation, ratio.clients) == (operation, clients) else ratio
        for ratio in results.ratios
    ]
    return results.model_copy(update={"ratios": ratios})


def exactly(value: float) -> Spread:
    """Return a spread whose rounds differ much and whose median is this."""
    return Spread(median=value, low=value / 2, high=value * 2)


@pytest.mark.parametrize(("p50", "met"), [(2.5, True), (2.51, False)])
def test_target_of_latency(p50: float, met: bool) -> None:
    """The time of one client's add is held against the plain one's: the median of the rounds counts."""
    target = judged(with_ratio(made_up(), "add", 1, p50=exactly(p50)))["p50"]
    assert target.met is met
    assert target.measured == f"{figure(p50)} {TIMES} ({figure(p50 / 2)} to {figure(p50 * 2)})"


@pytest.mark.parametrize(("throughput", "met"), [(0.6, True), (0.59, False)])
def test_target_of_throughput(throughput: float, met: bool) -> None:
    """The throughput of the most clients is held against the plain one's."""
    assert judged(with_ratio(made_up(), "add", 32, throughput=exactly(throughput)))["throughput"].met is met


@pytest.mark.parametrize(("ratio", "met"), [(1.5, True), (1.49, False), (None, None)])
def test_target_of_dbos(ratio: float | None, met: bool | None) -> None:
    """It takes a run of the peers, and is not measured without one."""
    assert judged(made_up(), ratio)["DBOS"].met is met


def test_target_of_reads() -> None:
    """The number of clients at which the Restate twin comes off worst decides."""
    results = made_up()
    for clients in (1, 8, 32):
        results = with_ratio(results, "list", clients, throughput=exactly(0.99))
    assert judged(results)["reads"].met is True
    worse = judged(with_ratio(results, "list", 8, throughput=exactly(0.96)))["reads"]
    assert worse.met is False
    assert worse.measured.endswith("worst with 8 clients")


@pytest.mark.parametrize(("median", "met"), [(0.8, True), (0.79, False)])
def test_target_of_the_plain_twin(median: float, met: bool) -> None:
    """The plain twin is held against a minimal insert."""
    assert judged(made_up().model_copy(update={"minimal": exactly(median)}))["minimal"].met is met


def outage(after: float, **fields: int) -> Recovery:
    """Return an outage after which everything was applied so late."""
    found = {"lost": 0, "duplicated": 0, **fields}
    return Recovery(target="database", outage_seconds=300.4, in_flight=50, applied_after_seconds=after, **found)


@pytest.mark.parametrize(
    ("recoveries", "met"),
    [
        ([outage(0.2), outage(0.99)], True),
        ([outage(0.2), outage(1.0)], False),
        ([outage(0.2), outage(0.2, lost=1)], False),
        ([outage(0.2, duplicated=1), outage(0.2)], False),
        ([], None),
    ],
)
def test_target_of_recovery(recoveries: list[Recovery], met: bool | None) -> None:
    """The slowest recovery counts, and what is lost or done twice has not recovered."""
    target = judged(made_up().model_copy(update={"recoveries": recoveries}))["recovery"]
    assert target.met is met
    assert target.what == "recovery after any outage up to 300 s"


@pytest.mark.parametrize(
    ("drain", "met"),
    [
        (Drain(operations=1000, seconds=9.9), True),
        (Drain(operations=1000, seconds=10.0), False),
        (Drain(operations=500, seconds=5.1), False),
        (Drain(operations=2000, seconds=11), False),
        (None, None),
    ],
)
def test_target_of_the_drain(drain: Drain | None, met: bool | None) -> None:
    """A backlog that is smaller than the target's has less time."""
    assert judged(made_up().model_copy(update={"drain": drain}))["drain"].met is met


@pytest.mark.parametrize(("last", "met"), [(99.9, True), (100.0, False)])
def test_target_of_memory(last: float, met: bool) -> None:
    """All servers of the Restate twin count, the database too."""
    memory = {"basic": {"db": 5000.0}, "restate": {"flask-todo-restate": 200.0, "restate": 400.0, "db": last}}
    assert judged(made_up().model_copy(update={"idle_memory_mb": memory}))["memory"].met is met


def test_nothing_measured() -> None:
    """A target for which nothing was measured is neither met nor missed."""
    full = made_up()
    empty = Results(started=full.started, seconds=0, machine=full.machine, versions={})
    assert [(target.met, target.measured) for target in targets(empty)] == [(None, NONE)] * 8


def test_results_are_kept(tmp_path: Path) -> None:
    """What is read is what was written, and nothing else is taken for it."""
    results = made_up()
    path = tmp_path / "new" / "bench.json"
    results.write(path)
    assert Results.read(path) == results
    path.write_text(path.read_text().replace('"seconds"', '"secs"', 1))
    with pytest.raises(ValidationError):
        Results.read(path)


@pytest.mark.parametrize(
    ("lasted", "expected"), [(0.9, 1), (1.2, 1), (2.4, 1), (10.1, 10), (59.0, 10), (91.0, 60), (300.1, 300), (340, 300)]
)
def test_outages_are_counted_for_what_they_were_meant(lasted: float, expected: int) -> None:
    """An outage that lasts on, because something else was still measured, is none of the next longer kind."""
    assert meant(lasted) == expected


def test_peers_of_before(tmp_path: Path) -> None:
    """Results of the peers that cannot be read any more are as good as none."""
    old = tmp_path / "peers.json"
    old.write_text('{"started": "2026-01-01T00:00:00Z"}')
    assert latest_peers([old, tmp_path / "none.json"]) is None
    assert against_dbos(None) is None
