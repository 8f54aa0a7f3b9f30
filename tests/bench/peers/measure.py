"""The two measurements: how fast an add is when nothing fails, and what is left of adds whose process is killed."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.bench.load import Request, Sample, put_load
from tests.bench.peers.contestant import Contestant
from tests.bench.peers.results import Kills, Round
from tests.lab.burst import adds, count_effects
from tests.lab.history import Operation, Outcome, Verdict, count, judge

CLIENTS = 32
ADD = Request("POST", "/api/todos", 201, {"title": "bench {unique}"})

WARM_UP_SECONDS = 3.0
WARM_UP_CLIENTS = 8

BURST = 120
"""Adds, from the eight clients of the lab's bursts."""

BUDGET_SECONDS = 2.0
"""The twins' own: then a client is told that its add will be done."""

LATE_SECONDS = 40.0
"""Longer than any of the contestants takes to find what a dead process has left."""

POLL_SECONDS = 0.5

Done = Callable[[], None]
"""Is called after each piece of work."""


@dataclass
class Speed:
    """The samples of a contestant."""

    alone: list[Sample] = field(default_factory=list)
    """With one client."""
    together: list[Sample] = field(default_factory=list)
    """With CLIENTS."""

    @property
    def p50_ms(self) -> float:
        """The median time of an add with one client, in milliseconds."""
        return round(statistics.median(time for sample in self.alone for time in sample.milliseconds), 2)

    @property
    def adds_per_second(self) -> float:
        """With many clients, the median of the rounds."""
        return round(statistics.median(sample.throughput for sample in self.together), 1)

    @property
    def rounds(self) -> list[Round]:
        """What each round has found."""
        pairs = zip(self.alone, self.together, strict=True)
        return [Round(p50_ms=round(a.p50, 2), adds_per_second=round(t.throughput, 1)) for a, t in pairs]


def speeds(contestants: Sequence[Contestant], rounds: int, seconds: float, done: Done) -> dict[str, Speed]:
    """Return the speed of each, by name; they take turns, so that a machine that slows down does so for all.

    Raises:
        LoadError: an add was not answered with 201.

    """
    for contestant in contestants:
        put_load(contestant.url, ADD, clients=WARM_UP_CLIENTS, seconds=WARM_UP_SECONDS)
        done()
    found = {contestant.name: Speed() for contestant in contestants}
    for number in range(rounds):
        # Back and forth: none always comes after the same other one.
        for contestant in contestants if number % 2 == 0 else reversed(contestants):
            speed = found[contestant.name]
            speed.alone.append(put_load(contestant.url, ADD, seconds=seconds))
            speed.together.append(put_load(contestant.url, ADD, clients=CLIENTS, seconds=seconds))
            done()
    return found


def kills(contestant: Contestant, times: int, done: Done) -> Kills:
    """Return what becomes of bursts in whose middle the writing process is killed; no client asks a second time.

    Raises:
        NothingProvedError: not even half of the adds were done exactly once.
        StackError: the process did not come again.

    """
    contestant.answer_within(BUDGET_SECONDS)
    operations: list[Operation] = []
    for _ in range(times):
        burst = adds(contestant, BURST)
        burst.run(contestant.kill_writer)
        operations += burst.operations
        done()
    began = time.monotonic()
    unfinished = contestant.settle()
    settled = time.monotonic() - began
    for operation in operations:
        operation.settled = not unfinished
    count_late_effects(contestant, operations)
    return Kills(
        kills=times,
        operations=len(operations),
        pending=sum(operation.outcome is Outcome.PENDING for operation in operations),
        settled_after_seconds=round(settled, 1),
        verdicts=count(operations, minimum_ok=len(operations) // 2),
    )


def count_late_effects(contestant: Contestant, operations: Sequence[Operation]) -> None:
    """Count the effects; what seems to be lost is waited for, in case that the contestant only seemed to be done."""
    deadline = time.monotonic() + LATE_SECONDS
    while True:
        count_effects(contestant, operations)
        if Verdict.LOST not in map(judge, operations) or time.monotonic() > deadline:
            return
        time.sleep(POLL_SECONDS)
