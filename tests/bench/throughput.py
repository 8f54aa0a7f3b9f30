"""Throughput and latency: closed loops with few and many clients, and open loops at a fixed rate.

The contestants take turns within each round, in the other order in every other round: a machine that becomes slower
does so for all of them, and none always comes first.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

from tests.bench import figures
from tests.bench.arena import OPERATIONS, TWINS, Arena
from tests.bench.load import LoadError, Sample, put_load
from tests.bench.results import Closed, Contestant, Open, OperationName, Ratio, Spread

Step = Callable[[str], None]
"""Is told of each sample when it has been taken, in a word or two."""

ATTEMPTS = 3
"""A sample with a wrong answer is no sample: it is taken again. A machine that stands still for longer than the write
budget gets one from the Restate twin, 202."""

_MOST_PER_SECOND = 2500
"""As many deletions are prepared. A faster contestant runs out of them, and its sample ends early."""


@dataclass(frozen=True)
class Plan:
    """How much is measured. Times are seconds."""

    clients: Sequence[int] = (1, 8, 32)
    rounds: int = 3
    seconds: Mapping[OperationName, float] = field(
        default_factory=lambda: {"add": 1.4, "update": 0.8, "delete": 0.8, "list": 1.4}
    )
    """Of one sample of a closed loop. Adds and lists have targets, and a list takes long."""
    warm_up_seconds: float = 0.8
    operations: Sequence[OperationName] = OPERATIONS
    open_seconds: Mapping[OperationName, float] = field(
        default_factory=lambda: {"add": 18.0, "update": 3.0, "delete": 3.0, "list": 3.0}
    )
    """Of an open loop, over all its slices, at most: it ends when the requests suffice for p99.9."""
    open_slices: int = 2
    load: float = 0.5
    """Of the throughput of the slower twin, as the rate of the open loop."""

    @property
    def most_clients(self) -> int:
        """The number of clients at which throughput is compared."""
        return max(self.clients)

    @property
    def extra_clients(self) -> Sequence[int]:
        """The numbers of clients for which others than the twins are measured, too."""
        return (min(self.clients), self.most_clients)

    def samples(self, arena: Arena) -> int:
        """Return how many samples there will be."""
        twins = len(self.operations) * len(TWINS)
        closed = sum(
            len(arena.who(operation, clients, self.extra_clients))
            for operation, clients in product(self.operations, self.clients)
        )
        return twins + closed * self.rounds + twins * self.open_slices


@dataclass(frozen=True)
class Measured:
    """What came of it."""

    closed: list[Closed]
    ratios: list[Ratio]
    open: list[Open]
    minimal: Spread | None


Key = tuple[OperationName, int, Contestant]


def measure(arena: Arena, plan: Plan, step: Step) -> Measured:
    """Measure all operations of all contestants.

    Raises:
        LoadError: an answer was not the expected one, again and again.

    """
    for operation, contestant in product(plan.operations, TWINS):
        _take(arena, contestant, operation, clients=min(8, plan.most_clients), seconds=plan.warm_up_seconds)
        step(f"warming up, {operation}")
    samples: dict[Key, list[Sample]] = defaultdict(list)
    for number in range(plan.rounds):
        for operation, clients, contestant in _turns(arena, plan, backwards=number % 2 == 1):
            sample = _take(arena, contestant, operation, clients=clients, seconds=plan.seconds[operation])
            samples[operation, clients, contestant].append(sample)
            step(f"round {number + 1}, {operation}, {clients} clients")
    return Measured(
        closed=[_closed(key, taken) for key, taken in samples.items()],
        ratios=[_ratio(operation, clients, samples) for operation, clients in product(plan.operations, plan.clients)],
        open=[one for operation in plan.operations for one in _open(arena, plan, operation, samples, step)],
        minimal=_against_minimal(plan, samples),
    )


def _turns(arena: Arena, plan: Plan, *, backwards: bool) -> Iterator[Key]:
    for operation, clients in product(plan.operations, plan.clients):
        who = arena.who(operation, clients, plan.extra_clients)
        for contestant in reversed(who) if backwards else who:
            yield operation, clients, contestant


def _take(
    arena: Arena,
    contestant: Contestant,
    operation: OperationName,
    *,
    seconds: float,
    clients: int = 1,
    rate: float = 0,
) -> Sample:
    """Take one sample, on tables that are filled anew; with a rate, in an open loop."""
    # And some more: what has begun before the end is finished.
    requests = int(seconds * (rate or _MOST_PER_SECOND)) + clients + 2
    for attempt in range(1, ATTEMPTS + 1):
        request = arena.prepare(contestant, operation, requests)
        try:
            return put_load(
                arena.urls[contestant], request, clients=clients, seconds=seconds, rate=rate, stop_after=requests
            )
        except LoadError:
            if attempt == ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def _open(
    arena: Arena, plan: Plan, operation: OperationName, closed: Mapping[Key, Sequence[Sample]], step: Step
) -> list[Open]:
    """Measure an operation in an open loop, at the same rate for both twins."""
    slowest = min(
        figures.spread([sample.throughput for sample in closed[operation, plan.most_clients, twin]]).median
        for twin in TWINS
    )
    rate = float(f"{plan.load * slowest:.2g}")
    seconds = min(plan.open_seconds[operation], figures.ENOUGH / rate) / plan.open_slices
    samples: dict[Contestant, list[Sample]] = defaultdict(list)
    for number in range(plan.open_slices):
        for twin in TWINS if number % 2 == 0 else reversed(TWINS):
            samples[twin].append(_take(arena, twin, operation, seconds=seconds, rate=rate))
            step(f"open loop, {operation}, {rate:g} a second")
    return [
        Open(
            contestant=twin,
            operation=operation,
            rate=rate,
            requests=sum(len(sample.milliseconds) for sample in taken),
            latency_ms=figures.latency(taken),
        )
        for twin, taken in samples.items()
    ]


def _closed(key: Key, samples: Sequence[Sample]) -> Closed:
    operation, clients, contestant = key
    return Closed(
        contestant=contestant,
        operation=operation,
        clients=clients,
        requests=sum(len(sample.milliseconds) for sample in samples),
        latency_ms=figures.latency(samples),
        per_second=figures.spread([sample.throughput for sample in samples]),
        generator_cpu=round(sum(s.cpu_seconds for s in samples) / sum(s.seconds for s in samples), 3),
    )


def _ratio(operation: OperationName, clients: int, samples: Mapping[Key, Sequence[Sample]]) -> Ratio:
    basic, restate = (samples[operation, clients, twin] for twin in TWINS)
    return Ratio(
        operation=operation,
        clients=clients,
        p50=figures.ratios([one.p50 for one in restate], [one.p50 for one in basic]),
        throughput=figures.ratios([one.throughput for one in restate], [one.throughput for one in basic]),
    )


def _against_minimal(plan: Plan, samples: Mapping[Key, Sequence[Sample]]) -> Spread | None:
    basic, minimal = (samples.get(("add", plan.most_clients, who)) for who in ("basic", "minimal"))
    if not basic or not minimal:
        return None
    return figures.ratios([one.throughput for one in basic], [one.throughput for one in minimal])
