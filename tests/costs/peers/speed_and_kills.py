"""The two measurements: how fast an add is when nothing fails, and what is left of adds whose process is killed."""

import contextlib
import time
from collections import defaultdict
from collections.abc import Sequence

from tests.costs.command import Step
from tests.costs.measure.load_generator import ADD, put_load
from tests.costs.measure.rounds import in_turns, spread
from tests.costs.peers.contestant import Contestant
from tests.costs.peers.records import KillOutcome
from tests.costs.records import Spread
from tests.support.burst import adds
from tests.support.history import Outcome, Verdict, count
from tests.support.waiting import StillMissingError, until

CLIENTS = 32

WARM_UP_SECONDS = 3.0
WARM_UP_CLIENTS = 8

BURST = 120
"""Adds, from the eight clients of the fault lab's bursts."""

BUDGET_SECONDS = 2.0
"""The twins' own: then a client is told that its add will be done."""

LATE_SECONDS = 40.0
"""Longer than any of the contestants takes to find what a dead process has left."""


def speeds(contestants: Sequence[Contestant], rounds: int, seconds: float, step: Step) -> dict[str, dict[str, Spread]]:
    """Return the speed of each by name, as fields of its record."""
    for contestant in contestants:
        put_load(contestant.url, ADD, clients=WARM_UP_CLIENTS, seconds=WARM_UP_SECONDS)
        step(f"warming up, {contestant.peer.title}")
    alone: dict[str, list[float]] = defaultdict(list)
    together: dict[str, list[float]] = defaultdict(list)
    for contestant in in_turns(contestants, rounds):
        name, url = contestant.peer.name, contestant.url
        alone[name].append(put_load(url, ADD, seconds=seconds).p50)
        together[name].append(put_load(url, ADD, clients=CLIENTS, seconds=seconds).throughput)
        step(contestant.peer.title)
    return {name: {"p50_ms": spread(alone[name]), "adds_per_second": spread(together[name])} for name in alone}


def kills(contestant: Contestant, times: int, step: Step) -> KillOutcome:
    """Return what becomes of bursts in whose middle the writing process is killed; no client asks a second time.

    Raises NothingProvedError if not even half of the adds were done exactly once.
    """
    contestant.answer_within(BUDGET_SECONDS)
    burst = adds(contestant, BURST * times)
    for first in range(0, BURST * times, BURST):
        burst.part(first, first + BURST).run(contestant.kill_writer)
        step(contestant.peer.title)
    began = time.monotonic()
    contestant.settle()
    settled = time.monotonic() - began
    # What seems to be lost may come late, where the contestant only seemed to be done.
    with contextlib.suppress(StillMissingError):
        until(lambda: Verdict.LOST not in burst.verdicts(), "every add", LATE_SECONDS)
    return KillOutcome(
        kills=times,
        operations=len(burst.operations),
        pending=sum(operation.outcome is Outcome.PENDING for operation in burst.operations),
        settled_after_seconds=round(settled, 1),
        verdicts=count(burst.operations, minimum_ok=len(burst.operations) // 2),
    )
