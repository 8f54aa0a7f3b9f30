"""Where the time of one add goes, hop by hop: measured by what each process notes, on one clock.

The processes run traced (twin_internals.py). Beside them the same twins run untouched, and a request of theirs goes in
turn with each traced one: so it can be seen whether the hops add up to what a client really waits. With the durable add
its floor takes turns, too: a plain add, and a step that does nothing.
"""

import contextlib
import json
import socket
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from tests.costs.measure import Advance, Findings, MeasurementError, one_piece
from tests.costs.measure.beside_twins import STEP_SERVICE
from tests.costs.measure.load_generator import ADD, Request, call
from tests.costs.measure.twin_internals import traced_environment
from tests.costs.measure.usage import metric
from tests.costs.measure.workspace import workspace
from tests.costs.records import BOTH, NOOP, Hop, Waterfall
from tests.support.running_twin import restate_twin
from tests.support.service_endpoint import endpoint_beside
from todo_stack.output import Log
from todo_stack.ports import HOST, Ports
from todo_stack.stack import Stack
from todo_stack.twins import PLAIN, RESTATE, TWINS, Twin

REQUESTS = 300
_WARM_UP = 50
_BLOCKS = 3
"""In which they are asked, so that a machine that becomes slower does so for all."""

Noted = tuple[int, str]
"""Nanoseconds of the monotonic clock, and what happened."""


Moments = tuple[int, int]
"""When a request was sent, and when its answer was there, as above."""


class Stretch(NamedTuple):
    """A part of the way of an add; it lasts from the end of the one before until what is noted next under this name.

    `floor` says which part of a durable add's floor has it, too.
    """

    name: str
    where: str
    until: str
    floor: str = ""


_REQUEST = Stretch("request to Flask", "client", "flask begins", PLAIN.key)
_ANSWER = Stretch("answer to the client", "client", "client answered", PLAIN.key)
_CHECKOUT, _COMMIT_BEGINS, _CHECKIN = "pool checkout", "commit begins", "pool checkin"
STRETCHES: Mapping[Twin, Sequence[Stretch]] = {
    PLAIN: (
        _REQUEST,
        Stretch("Flask: route, input, pool checkout", "web", _CHECKOUT),
        Stretch("statements (BEGIN, todo)", "database", _COMMIT_BEGINS),
        Stretch("COMMIT", "database", _CHECKIN),
        Stretch("Flask: answer", "web", "flask ends"),
        _ANSWER,
    ),
    RESTATE: (
        _REQUEST,
        Stretch("Flask: route, input, key", "web", "ingress asked", PLAIN.key),
        Stretch("ingress, log append, HTTP/2 to the service", "Restate", "service called", NOOP),
        Stretch("SDK: signature, journal, thread", "service", "step begins", NOOP),
        Stretch("pool checkout", "service", _CHECKOUT, PLAIN.key),
        Stretch("statements (BEGIN, todo, ledger)", "database", _COMMIT_BEGINS, PLAIN.key),
        Stretch("COMMIT", "database", _CHECKIN, PLAIN.key),
        Stretch("SDK: result", "service", "service sends", NOOP),
        Stretch("journal append, acknowledgement", "Restate", "service receives", NOOP),
        Stretch("SDK: output", "service", "service sends", NOOP),
        Stretch("log append, completion, ingress' answer", "Restate", "ingress answered", NOOP),
        Stretch("Flask: answer", "web", "flask ends", PLAIN.key),
        _ANSWER,
    ),
}


def measure(folder: Path, step: Advance, number: int = REQUESTS) -> Findings:
    """Measure the waterfall of an add in each twin, of one client."""
    found = []
    for twin in TWINS:
        with workspace(folder / twin.key) as log:
            found.append(_measure(twin, folder / twin.key, number, log))
        step(f"waterfall, {twin}")
        yield {"waterfalls": found}


class Client(NamedTuple):
    """A connection, and what is sent on it over and over again."""

    connection: socket.socket
    request: Request = ADD

    def ask(self) -> Moments:
        """Return when the request was sent and when its answer was there."""
        body = json.dumps(self.request.body).replace("{unique}", str(uuid4()))
        key = {"idempotency-key": str(uuid4())}
        began = time.monotonic_ns()
        one_piece.post(self.connection, self.request.path, body, key, expect=self.request.expect)
        return began, time.monotonic_ns()


def _measure(twin: Twin, folder: Path, number: int, log: Log) -> Waterfall:
    # Its Python processes.
    files = {name: folder / f"{name}.trace" for name in {twin.title, twin.writer}}
    overrides = {name: traced_environment(folder / "trace", file) for name, file in files.items()}
    with contextlib.ExitStack() as at_end:
        both = TWINS if twin.durable else [twin]
        untouched = at_end.enter_context(Stack(both, data=folder / "untouched", ports=Ports.free(), log=log))
        traced = Stack([twin], data=folder / "traced", ports=Ports.free(), log=log, overrides=overrides)
        at_end.enter_context(traced)

        def client(port: int, request: Request = ADD) -> Client:
            return Client(at_end.enter_context(socket.create_connection((HOST, port))), request)

        clients = [client(stack.ports.web(twin)) for stack in (untouched, traced)]
        if twin.durable:
            at_end.enter_context(endpoint_beside(restate_twin(untouched), [STEP_SERVICE], log))
            noop = client(untouched.ports.restate_ingress, call(f"StepService/{NOOP}"))
            clients += [client(untouched.ports.web(PLAIN)), noop]
        for _ in range(_WARM_UP):
            for one in clients:
                one.ask()
        node = traced.ports.restate_node
        before = _appends(node) if twin.durable else None
        turns, alone = _in_turn_and_alone(clients, number)
        detail = _per_append(before, _appends(node)) if before else ""
    lines = [line.split(maxsplit=1) for file in files.values() for line in file.read_text().splitlines()]
    noted = sorted((int(nanoseconds), what) for nanoseconds, what in lines)
    rows = [durations(STRETCHES[twin], between(noted, *moments)) for _, moments, *_ in turns]
    hops = [
        Hop(
            name=stretch.name,
            where=stretch.where,
            milliseconds=round(statistics.median(times), 3),
            floor=stretch.floor,
            detail=detail if "append" in stretch.name else "",
        )
        for stretch, times in zip(STRETCHES[twin], zip(*rows, strict=True), strict=True)
    ]
    total_ms, _, *floor_ms = map(_median_ms, zip(*turns, strict=True))
    alone_ms, _, *alone_floor_ms = map(_median_ms, alone)
    names = (PLAIN.key, NOOP, BOTH)
    return Waterfall(
        application=twin.key,
        requests=len(turns),
        hops=hops,
        total_ms=total_ms,
        floor_ms=dict(zip(names, floor_ms, strict=False)),
        alone_ms={twin.key: alone_ms, **dict(zip(names, alone_floor_ms, strict=False))} if twin.durable else {},
    )


def _in_turn_and_alone(clients: Sequence[Client], number: int) -> tuple[list[list[Moments]], list[list[Moments]]]:
    """Ask each so often in turn with the others, and as often one after the other, and return the moments of both.

    At last the two parts of the floor, if they are there, as one.
    """
    in_turn: list[list[Moments]] = []
    alone: list[list[Moments]] = [[] for _ in clients]
    as_one: list[Moments] = []
    for _ in range(_BLOCKS):
        in_turn += [[one.ask() for one in clients] for _ in range(number // _BLOCKS)]
        for one, moments in zip(clients, alone, strict=True):
            moments += [one.ask() for _ in range(number // _BLOCKS)]
        if floor := clients[2:]:
            as_one += [_as_one(floor) for _ in range(number // _BLOCKS)]
    return in_turn, [*alone, as_one] if as_one else alone


def _as_one(clients: Sequence[Client]) -> Moments:
    """Ask one client after the other, and return when the first was asked, and when that and what they took is over.

    What this program takes between them, to make the next request, is not in it.
    """
    moments = [one.ask() for one in clients]
    began = moments[0][0]
    return began, began + sum(ended - asked for asked, ended in moments)


def _median_ms(moments: Iterable[Moments]) -> float:
    return round(statistics.median((ended - began) / 1e6 for began, ended in moments), 3)


def between(noted: Sequence[Noted], began: int, ended: int) -> list[Noted]:
    """Return what was noted between two moments, which are the first and the last of it.

    Only one client is there, so all of it belongs to its request.
    """
    inside = [(at, what) for at, what in noted if began <= at <= ended]
    return [(began, "client sends"), *inside, (ended, "client answered")]


def durations(stretches: Sequence[Stretch], noted: Sequence[Noted]) -> list[float]:
    """Return how long each stretch took, in milliseconds, without a gap; raises MeasurementError on any other way."""
    left = iter(noted)
    (before, _), times = next(left), []
    for stretch in stretches:
        end = next((at for at, what in left if what == stretch.until), None)
        if end is None:
            raise MeasurementError(f"no {stretch.until!r} ends {stretch.name!r}: {[what for _, what in noted]}")
        times.append((end - before) / 1e6)
        before = end
    return times


def _appends(node_port: int) -> list[float]:
    """Return seconds and number of the appends to the Restate server's log, and of the fsyncs in them."""
    names = "bifrost_sequencer_append_wave_duration_seconds", "rocksdb_wal_file_sync_seconds"
    return [metric(node_port, f"{name}_{what}") or 0 for name in names for what in ("sum", "count")]


def _per_append(before: Sequence[float], after: Sequence[float]) -> str:
    """Say how long one append took on average, and the fsync in it."""
    seconds, appends, fsync_seconds, fsyncs = (now - then for then, now in zip(before, after, strict=True))
    if not appends or not fsyncs:
        return ""
    return f"an append takes {1000 * seconds / appends:.2f} ms, {1000 * fsync_seconds / fsyncs:.2f} of it the fsync"
