"""How fast the contestants are: all of them at adding, and those that do more at deleting and paying."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from itertools import product
from typing import Any, TypeVar, get_args

from tests.costs.measure import Advance
from tests.costs.measure.load import take
from tests.costs.measure.load_generator import ADD, Sample, put_load
from tests.costs.measure.rounds import in_turns, spread, throughput
from tests.costs.measure.running_apps import RunningApp
from tests.costs.measure.usage import Used, of_each, put_load_and_look
from tests.costs.peers.contestants import Contestant
from tests.costs.peers.records import OperationCost, OtherOperation
from tests.costs.spread import Spread

CLIENTS = 32

WARM_UP_SECONDS = 3.0
WARM_UP_CLIENTS = 8

OTHER_OPERATIONS: tuple[OtherOperation, ...] = get_args(OtherOperation)

Turn = TypeVar("Turn", bound=Hashable)


def of_adds(contestants: Sequence[Contestant], rounds: int, seconds: float, step: Advance) -> dict[str, dict[str, Any]]:
    """Return the speed of each by name, and its processor time, as fields of its record.

    A sample of one client takes so many seconds, and one of many clients twice as long.
    Raises LoadError as put_load() does.
    """
    taken: dict[str, list[Used]] = {contestant.peer.name: [] for contestant in contestants}
    for contestant in contestants:
        put_load(contestant.url, ADD, clients=WARM_UP_CLIENTS, seconds=WARM_UP_SECONDS)
        step(f"warming up, {contestant.peer.title}")

    def add(contestant: Contestant, clients: int) -> Sample:
        servers = contestant.app.servers
        # A goal compares the turns of many clients one by one: each is longer, so that one stall does not decide.
        longer = 2 if clients == CLIENTS else 1
        used = put_load_and_look(contestant.url, ADD, servers, clients=clients, seconds=longer * seconds)
        if clients == CLIENTS:
            taken[contestant.peer.name].append(used)
        return used.sample

    found = _by_turn(contestants, rounds, add, lambda contestant: step(contestant.peer.title))
    return {
        one.peer.name: {"p50_ms": p50, "adds_per_second": many, "cpu_ms": of_each(taken[one.peer.name])}
        for one, (p50, many) in found.items()
    }


def of_other_operations(apps: Sequence[RunningApp], rounds: int, seconds: float, step: Advance) -> list[OperationCost]:
    """Return what each other operation costs; each todo is made past the application, for one request.

    Raises LoadError as put_load() does.
    """
    turns = list(product(OTHER_OPERATIONS, apps))
    for kind, app in turns:
        take(app, kind, clients=WARM_UP_CLIENTS, seconds=seconds)
        step(f"warming up, {kind}, {app.name}")

    def operate(turn: tuple[OtherOperation, RunningApp], clients: int) -> Sample:
        kind, app = turn
        return take(app, kind, clients=clients, seconds=seconds)

    found = _by_turn(turns, rounds, operate, lambda turn: step(f"{turn[0]}, {turn[1].name}"))
    return [
        OperationCost(operation=kind, name=app.name, p50_ms=p50, per_second=many)
        for (kind, app), (p50, many) in found.items()
    ]


def _by_turn(
    turns: Sequence[Turn], rounds: int, sample: Callable[[Turn, int], Sample], step: Callable[[Turn], None]
) -> dict[Turn, tuple[Spread, Spread]]:
    """Return of each the median time with one client, in milliseconds, and the answers a second with many."""
    taken: dict[Turn, list[tuple[Sample, Sample]]] = defaultdict(list)
    for turn in in_turns(turns, rounds):
        taken[turn].append((sample(turn, 1), sample(turn, CLIENTS)))
        step(turn)
    return {
        turn: (spread([alone.p50 for alone, _ in taken[turn]]), throughput([many for _, many in taken[turn]]))
        for turn in turns
    }
