"""Where the time of one add goes, hop by hop: measured by what each process notes, on one clock.

The processes run traced (twin_internals.py). Beside them the same twins run untouched, and a request of theirs goes in
turn with each traced one: so it can be seen whether the hops add up to what a client really waits.
"""

import bisect
import contextlib
import http.client
import json
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit
from uuid import uuid4

from tests.costs.measure import MeasurementError, Progress
from tests.costs.measure.restate_metrics import metrics
from tests.costs.measure.twin_internals import TRACED_SERVERS, traced_environment
from tests.costs.measure.workspace import workspace
from tests.costs.records import TWINS, Application, Hop, Waterfall
from todo_stack.ports import Ports
from todo_stack.process import Log
from todo_stack.stack import Stack
from todo_stack.twins import twin_named

REQUESTS = 300
_WARM_UP = 50

Noted = tuple[int, str]
"""Nanoseconds of the monotonic clock, and what happened."""


class Stretch(NamedTuple):
    """A part of the way of an add; it lasts from the end of the one before until what is noted next under this name."""

    name: str
    where: str
    until: str


_REQUEST = Stretch("request to Flask", "client", "flask begins")
_ANSWER = Stretch("answer to the client", "client", "client answered")
_CHECKOUT, _COMMIT_BEGINS, _CHECKIN = "pool checkout", "commit begins", "pool checkin"
WAYS: dict[Application, tuple[Stretch, ...]] = {
    "plain": (
        _REQUEST,
        Stretch("Flask: route, input, pool checkout with ping", "web", _CHECKOUT),
        Stretch("statements (BEGIN, todo)", "database", _COMMIT_BEGINS),
        Stretch("COMMIT", "database", _CHECKIN),
        Stretch("Flask: answer", "web", "flask ends"),
        _ANSWER,
    ),
    "restate": (
        _REQUEST,
        Stretch("Flask: route, input, key", "web", "ingress asked"),
        Stretch("ingress, log append, HTTP/2 to the service", "Restate", "service called"),
        Stretch("SDK: signature, journal, thread", "service", "step begins"),
        Stretch("pool checkout", "service", _CHECKOUT),
        Stretch("statements (BEGIN, todo, ledger)", "database", _COMMIT_BEGINS),
        Stretch("COMMIT", "database", _CHECKIN),
        Stretch("SDK: result", "service", "service sends"),
        Stretch("journal append, acknowledgement", "Restate", "service receives"),
        Stretch("SDK: output", "service", "service sends"),
        Stretch("log append, completion, ingress' answer", "Restate", "ingress answered"),
        Stretch("Flask: answer", "web", "flask ends"),
        _ANSWER,
    ),
}


def measure(folder: Path, progress: Progress, requests: int = REQUESTS) -> list[Waterfall]:
    """Return the waterfall of an add in each twin, of one client."""
    found = []
    for twin in TWINS:
        with workspace(folder / twin) as log:
            found.append(_measure(twin, folder / twin, requests, log))
        progress.step(f"waterfall, {twin}")
    return found


def _measure(twin: Application, folder: Path, requests: int, log: Log) -> Waterfall:
    which = twin_named(twin)
    files = {name: folder / f"{name}.trace" for name in TRACED_SERVERS[twin]}
    overrides = {name: traced_environment(folder / "trace", file) for name, file in files.items()}
    with contextlib.ExitStack() as stacks:
        plain = stacks.enter_context(Stack([which], data=folder / "plain", ports=Ports.free(), log=log))
        traced = stacks.enter_context(
            Stack([which], data=folder / "traced", ports=Ports.free(), log=log, overrides=overrides)
        )
        untouched, noting = (stacks.enter_context(_client(stack.ports.web_url(which))) for stack in (plain, traced))
        for _ in range(_WARM_UP):
            _add(untouched)
            _add(noting)
        node = traced.ports.restate_node
        before = _appends(node) if twin == "restate" else None
        pairs = [(_add(untouched), _add(noting)) for _ in range(requests)]
        detail = _per_append(before, _appends(node)) if before else ""
    noted = sorted(one for file in files.values() for one in _read(file))
    rows = [durations(WAYS[twin], between(noted, *moments)) for _, moments in pairs]
    return Waterfall(
        application=twin,
        requests=requests,
        hops=[
            Hop(
                name=stretch.name,
                where=stretch.where,
                milliseconds=round(statistics.median(row[index] for row in rows), 3),
                detail=detail if "append" in stretch.name else "",
            )
            for index, stretch in enumerate(WAYS[twin])
        ],
        total_ms=round(statistics.median((ended - began) / 1e6 for (began, ended), _ in pairs), 3),
    )


def between(noted: Sequence[Noted], began: int, ended: int) -> list[Noted]:
    """Return what was noted between two moments, which are the first and the last of it.

    Only one client is there, so all of it belongs to its request.
    """
    inside = noted[bisect.bisect_left(noted, (began, "")) : bisect.bisect_right(noted, (ended, ""))]
    return [(began, "client sends"), *inside, (ended, "client answered")]


def durations(way: Sequence[Stretch], noted: Sequence[Noted]) -> list[float]:
    """Return how long each stretch took, in milliseconds, without a gap; raises MeasurementError on any other way."""
    times, position = [], 0
    for stretch in way:
        end = next((at for at in range(position + 1, len(noted)) if noted[at][1] == stretch.until), None)
        if end is None:
            raise MeasurementError(f"no {stretch.until!r} ends {stretch.name!r}: {[name for _, name in noted]}")
        times.append((noted[end][0] - noted[position][0]) / 1e6)
        position = end
    return times


def _client(url: str) -> contextlib.closing[http.client.HTTPConnection]:
    return contextlib.closing(http.client.HTTPConnection(urlsplit(url).netloc))


def _add(client: http.client.HTTPConnection) -> tuple[int, int]:
    """Add a todo; return when it was sent and when the answer was there."""
    body = json.dumps({"title": f"waterfall {uuid4()}"})
    headers = {"content-type": "application/json", "idempotency-key": str(uuid4())}
    began = time.monotonic_ns()
    client.request("POST", "/api/todos", body, headers)
    answer = client.getresponse()
    answer.read()
    ended = time.monotonic_ns()
    if answer.status != http.client.CREATED:
        raise MeasurementError(f"an add was answered with {answer.status}")
    return began, ended


def _read(file: Path) -> Iterator[Noted]:
    for line in file.read_text().splitlines():
        nanoseconds, _, what = line.partition(" ")
        yield int(nanoseconds), what


def _appends(port: int) -> list[tuple[float, float]]:
    """Return seconds and number of the appends to the Restate server's log, and of the fsyncs in them."""
    names = "bifrost_sequencer_append_wave_duration_seconds", "rocksdb_wal_file_sync_seconds"
    return [(metrics(port, f"{name}_sum") or 0, metrics(port, f"{name}_count") or 0) for name in names]


def _per_append(before: list[tuple[float, float]], after: list[tuple[float, float]]) -> str:
    """Say how long one append took on average, and the fsync in it."""
    pairs = zip(before, after, strict=True)
    passed = [(then[0] - now[0], then[1] - now[1]) for now, then in pairs]
    if not all(number for _, number in passed):
        return ""
    append, fsync = (1000 * seconds / number for seconds, number in passed)
    return f"an append takes {append:.2f} ms, {fsync:.2f} of it the fsync"
