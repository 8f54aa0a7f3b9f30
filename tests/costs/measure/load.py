"""Throughput and latency: closed loops with few and many clients, and open loops at a fixed rate."""

import contextlib
import functools
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise, product
from typing import Any, NamedTuple

from tests.costs import records
from tests.costs.measure import Advance, rounds
from tests.costs.measure.load_generator import Load, Sample, again_if_wrong, put_load, put_loads
from tests.costs.measure.own_core import can_pin, own_core
from tests.costs.measure.running_apps import RunningApp
from tests.costs.records import (
    BOTH,
    MINIMAL,
    REQUEST_KINDS,
    TWIN_NAMES,
    AnyRequestKind,
    ApplicationName,
    RequestKind,
)
from tests.costs.spread import Spread
from todo_stack.twins import PLAIN, RESTATE

_MOST_PER_SECOND = 2500
"""As many todos are prepared for what is done only once with each. A faster application runs out of them, and its
sample ends early."""

_WARM_UP_CLIENTS = 8

_LIST: RequestKind = "list"
"""It has goals for each number of clients; the others are by the fewest clients and the most."""

_ROUNDS_AT_ONCE = 11
"""Of short rounds, by one load generator, which need not start and warm up for each sample."""


class LoadPlan(NamedTuple):
    """How much is measured. Times are seconds."""

    clients: Sequence[int] = (1, 8, 32)
    rounds: Mapping[RequestKind, int] = {"add": 5, "update": 3, "delete": 3, "list": 5}
    seconds: Mapping[RequestKind, float] = {"add": 0.8, "update": 0.6, "delete": 0.6, "list": 0.8}
    """Of one sample of a closed loop."""
    short_rounds: int = 77
    """Of lists once more. On shared cores, two samples of a twin differ by more than the twins do: so the web gets a
    core of its own, where the system allows that."""
    short_seconds: float = 0.12
    warm_up_seconds: float = 0.4
    open_seconds: Mapping[RequestKind, float] = {"add": 10.0, "update": 1.5, "delete": 1.5, "list": 1.5}
    """Of an open loop, over all its slices, at most: it ends when the requests suffice for p99.9."""
    open_slices: int = 2
    open_load: float = 0.5
    """Of the throughput of the slower twin, as the rate of the open loop."""
    steps_after: int = 0
    """What follows in the same part, for whoever looks how far it is."""

    @property
    def most_clients(self) -> int:
        """The number of clients at which throughput is compared."""
        return max(self.clients)

    def turns(self, names: Sequence[ApplicationName]) -> list["Turn"]:
        """Return the turns of a round. Twins list for all numbers of clients; the rest is of the fewest and most."""
        ends = {min(self.clients), self.most_clients}
        return [
            Turn(kind, clients, name)
            for kind, clients, name in product(REQUEST_KINDS, self.clients, names)
            if (kind == "add" or name in TWIN_NAMES) and (clients in ends or kind == _LIST)
        ]


class Turn(NamedTuple):
    """What the samples of all rounds have in common."""

    request: RequestKind
    clients: int
    application: ApplicationName


Samples = Mapping[Turn, Sequence[Sample]]


def measure(everyone: Sequence[RunningApp], plan: LoadPlan, step: Advance) -> dict[str, Any]:
    """Measure all kinds of requests, and return the fields of the record.

    The twins always, others only at adding, with the fewest and most clients.
    """
    apps = {app.name: app for app in everyone}
    twins = [app for app in everyone if app.name in TWIN_NAMES]
    turns = plan.turns(list(apps))
    lists = [turn for turn in turns if turn.request == _LIST]
    of_kind = [(plan.rounds[kind], [turn for turn in turns if turn.request == kind]) for kind in REQUEST_KINDS]
    in_turns = [turn for number, alike in of_kind for turn in rounds.in_turns(alike, number)]
    at_once = [min(_ROUNDS_AT_ONCE, plan.short_rounds - done) for done in range(0, plan.short_rounds, _ROUNDS_AT_ONCE)]
    to_warm = [*product(REQUEST_KINDS, twins), *(("add", app) for app in everyone if app not in twins)]
    opened = len(REQUEST_KINDS) * len(twins) * plan.open_slices
    step = functools.partial(step, of=len(to_warm) + len(in_turns) + len(at_once) + opened + plan.steps_after)
    for kind, app in to_warm:
        take(app, kind, clients=min(_WARM_UP_CLIENTS, plan.most_clients), seconds=plan.warm_up_seconds)
        step(f"warming up, {kind}")
    samples: dict[Turn, list[Sample]] = defaultdict(list)
    for turn in in_turns:
        kind, clients, name = turn
        samples[turn].append(take(apps[name], kind, clients=clients, seconds=plan.seconds[kind]))
        step(f"{kind}, {clients} clients, {name}")
    short: dict[Turn, list[Sample]] = defaultdict(list)
    with _webs_on_own_core(twins):
        for number in at_once:
            for turn, taken in zip(lists, _take_lists(apps, lists, plan.short_seconds, number), strict=True):
                short[turn] += taken
            step("list, in short turns")
    plain, minimal, both = (samples.get(Turn("add", plan.most_clients, name)) for name in (PLAIN.key, MINIMAL, BOTH))
    return {
        "closed_loops": [_closed_loop(*each) for each in samples.items()],
        "ratios": _twin_ratios(samples),
        "lists_pinned": can_pin(),
        "short_lists": [_closed_loop(*each) for each in short.items()],
        "short_ratios": _twin_ratios(short),
        "reads": _reads(plan, short),
        "more_clients": [
            _more_clients(twin.name, pair, short) for twin in twins for pair in pairwise(sorted(plan.clients))
        ],
        "open_loops": [loop for kind in REQUEST_KINDS for loop in _open_loops(twins, plan, kind, samples, step)],
        "minimal": rounds.ratios(plain, minimal) if plain and minimal else None,
        "both": rounds.ratios(both, plain) if plain and both else None,
    }


@again_if_wrong
def take(app: RunningApp, kind: AnyRequestKind, *, seconds: float, clients: int = 1, rate: float = 0) -> Sample:
    """Take one sample, on tables that are filled anew; with a rate, in an open loop."""
    # And some more: what has begun before the end is finished.
    most = int(seconds * (rate or _MOST_PER_SECOND)) + clients + 2
    request = app.prepare(kind, most)
    return put_load(app.url, request, clients=clients, seconds=seconds, rate=rate, stop_after=most)


def _webs_on_own_core(twins: Sequence[RunningApp]) -> contextlib.AbstractContextManager[None]:
    """Let the webs have a core, where the system can pin. Only one of them has work at a time, but for one question."""
    servers = {name: server for twin in twins for name, server in twin.servers.items()}
    webs = [next(iter(twin.servers)) for twin in twins]
    return own_core(servers, webs) if can_pin() else contextlib.nullcontext()


@again_if_wrong
def _take_lists(
    apps: Mapping[ApplicationName, RunningApp], turns: Sequence[Turn], seconds: float, number: int
) -> list[list[Sample]]:
    """Take so many samples of each, on tables that are filled anew."""
    asked = {name: apps[name].prepare(_LIST) for name in {turn.application for turn in turns}}
    loads = [Load(apps[name].url, asked[name], seconds, clients) for _, clients, name in turns]
    return [[sample.while_all_ask() for sample in samples] for samples in put_loads(loads, number)]


def _open_loops(
    twins: Sequence[RunningApp], plan: LoadPlan, kind: RequestKind, closed: Samples, step: Advance
) -> list[records.OpenLoop]:
    """Measure a kind of request in an open loop, at the same rate for both twins."""
    slowest = min(rounds.throughput(closed[Turn(kind, plan.most_clients, twin.name)]).median for twin in twins)
    rate = float(f"{plan.open_load * slowest:.2g}")
    seconds = min(plan.open_seconds[kind], rounds.ENOUGH / rate) / plan.open_slices
    samples: dict[ApplicationName, list[Sample]] = defaultdict(list)
    for app in rounds.in_turns(twins, plan.open_slices):
        samples[app.name].append(take(app, kind, seconds=seconds, rate=rate))
        step(f"open loop, {kind}, {rate:g} a second")
    return [
        records.OpenLoop(application=name, request=kind, rate=rate, **rounds.answers_and_latency(taken))
        for name, taken in samples.items()
    ]


def _closed_loop(turn: Turn, samples: Sequence[Sample]) -> records.ClosedLoop:
    return records.ClosedLoop(
        **turn._asdict(),
        **rounds.answers_and_latency(samples),
        per_second=rounds.throughput(samples),
        generator_cpu=round(sum(one.cpu_seconds for one in samples) / sum(one.seconds for one in samples), 3),
    )


def _twin_ratios(samples: Samples) -> list[records.TwinRatio]:
    return [
        records.TwinRatio(
            request=turn.request,
            clients=turn.clients,
            p50=rounds.ratios(restate, samples[turn._replace(application=PLAIN.key)], "p50"),
            throughput=rounds.ratios(restate, samples[turn._replace(application=PLAIN.key)]),
        )
        for turn, restate in samples.items()
        if turn.application == RESTATE.key
    ]


def _reads(plan: LoadPlan, samples: Samples) -> Spread:
    """Return the ratio of the twins at the list, of each round that of all numbers of clients (geometric mean)."""

    def in_rounds(name: ApplicationName) -> list[float]:
        of_each = [[one.throughput for one in samples[Turn(_LIST, clients, name)]] for clients in plan.clients]
        return [statistics.geometric_mean(one) for one in zip(*of_each, strict=True)]

    return rounds.spread(
        [ours / theirs for ours, theirs in zip(*map(in_rounds, (RESTATE.key, PLAIN.key)), strict=True)]
    )


def _more_clients(name: ApplicationName, numbers: tuple[int, int], samples: Samples) -> records.MoreClients:
    fewer, more = numbers
    throughput = rounds.ratios(samples[Turn(_LIST, more, name)], samples[Turn(_LIST, fewer, name)])
    return records.MoreClients(application=name, request=_LIST, clients=more, fewer=fewer, throughput=throughput)
