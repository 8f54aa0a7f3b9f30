"""Where the time of one add goes, stretch by stretch: measured by what each process notes, on one clock.

The processes run with `trace/sitecustomize.py`. Beside them the same twins run untouched, and a request of theirs goes
in turn with each traced one: so it can be seen whether the stretches add up to what a client really waits.
"""

import bisect
import contextlib
import http.client
import json
import re
import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import requests

from tests.bench.results import Hop, Waterfall
from tests.lab.picture.results import TWINS, Twin
from todo_stack.ports import Ports
from todo_stack.stack import Stack

_TRACE = Path(__file__).with_name("trace")
_TRACED = {"basic": ("flask-todo",), "restate": ("flask-todo-restate", "restate_app")}
_WARM_UP = 50
_REQUESTS = 300
_STATUS_CREATED = 201

Event = tuple[int, str]
"""Nanoseconds of the monotonic clock, and what happened."""


@dataclass(frozen=True)
class Stretch:
    """A part of the way; it lasts from the end of the one before until the next event of this name."""

    name: str
    where: str
    until: str


_REQUEST = Stretch("request to Flask", "client", "flask begins")
_ANSWER = Stretch("answer to the client", "client", "client answered")
_CHECKOUT, _STATEMENTS, _COMMIT = "pool checkout", "commit begins", "pool checkin"
WAYS: dict[Twin, tuple[Stretch, ...]] = {
    "basic": (
        _REQUEST,
        Stretch("Flask: route, input, pool checkout with ping", "web", _CHECKOUT),
        Stretch("statements (BEGIN, todo)", "database", _STATEMENTS),
        Stretch("COMMIT", "database", _COMMIT),
        Stretch("Flask: answer", "web", "flask ends"),
        _ANSWER,
    ),
    "restate": (
        _REQUEST,
        Stretch("Flask: route, input, key", "web", "ingress asked"),
        Stretch("ingress, log append, HTTP/2 to the service", "Restate", "service called"),
        Stretch("SDK: signature, journal, thread", "service", "step begins"),
        Stretch("pool checkout", "service", _CHECKOUT),
        Stretch("statements (BEGIN, todo, ledger)", "database", _STATEMENTS),
        Stretch("COMMIT", "database", _COMMIT),
        Stretch("SDK: result", "service", "service sends"),
        Stretch("journal append, acknowledgement", "Restate", "service receives"),
        Stretch("SDK: output", "service", "service sends"),
        Stretch("log append, completion, ingress' answer", "Restate", "ingress answered"),
        Stretch("Flask: answer", "web", "flask ends"),
        _ANSWER,
    ),
}


class TraceError(RuntimeError):
    """What the processes noted is not the way of a write as it is known."""


def measure(
    data: Path, requests_each: int = _REQUESTS, step: Callable[[str], None] = lambda _what: None
) -> list[Waterfall]:
    """Return the waterfall of an add in each twin, of one client.

    Raises:
        TraceError: an add did not go the way that is described here.

    """
    found = []
    for twin in TWINS:
        folder = data / twin
        shutil.rmtree(folder, ignore_errors=True)
        found.append(_measure(twin, folder, requests_each))
        step(f"waterfall, {twin}")
    return found


def _measure(twin: Twin, folder: Path, number: int) -> Waterfall:
    files = {name: folder / f"{name}.trace" for name in _TRACED[twin]}
    overrides = {name: {"PYTHONPATH": str(_TRACE), "TRACE_FILE": str(file)} for name, file in files.items()}
    with contextlib.ExitStack() as stacks:
        plain = stacks.enter_context(Stack([twin], data=folder / "plain", ports=Ports.free()))
        traced = stacks.enter_context(Stack([twin], data=folder / "traced", ports=Ports.free(), overrides=overrides))
        clients = [stacks.enter_context(_client(stack.ports.web_url(twin))) for stack in (plain, traced)]
        for _ in range(_WARM_UP):
            for client in clients:
                _add(client)
        appends = _appends(traced, twin)
        totals, windows = [], []
        for _ in range(number):
            began, ended = _add(clients[0])
            totals.append((ended - began) / 1e6)
            windows.append(_add(clients[1]))
        detail = _per_append(appends, _appends(traced, twin))
    events = sorted(event for file in files.values() for event in _read(file))
    rows = [way(WAYS[twin], window(events, began, ended)) for began, ended in windows]
    hops = [
        Hop(
            name=stretch.name,
            where=stretch.where,
            milliseconds=round(statistics.median(row[index] for row in rows), 3),
            detail=detail if "append" in stretch.name else "",
        )
        for index, stretch in enumerate(WAYS[twin])
    ]
    return Waterfall(
        contestant=twin,
        requests=number,
        hops=hops,
        sum_ms=round(sum(hop.milliseconds for hop in hops), 3),
        total_ms=round(statistics.median(totals), 3),
    )


def window(events: Sequence[Event], began: int, ended: int) -> list[Event]:
    """Return the events between two moments, which are the first and the last of them.

    Only one client is there, so all of them belong to its request.
    """
    inside = events[bisect.bisect_left(events, (began, "")) : bisect.bisect_right(events, (ended, ""))]
    return [(began, "client sends"), *inside, (ended, "client answered")]


def way(stretches: Sequence[Stretch], events: Sequence[Event]) -> list[float]:
    """Return how long each stretch took, in milliseconds: without a gap from the first event to the last.

    Raises:
        TraceError: the events are not those of this way.

    """
    times, position = [], 0
    for stretch in stretches:
        after = (index for index in range(position + 1, len(events)) if events[index][1] == stretch.until)
        end = next(after, None)
        if end is None:
            raise TraceError(f"no {stretch.until!r} where it ends {stretch.name!r}: {[name for _, name in events]}")
        times.append((events[end][0] - events[position][0]) / 1e6)
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
    if answer.status != _STATUS_CREATED:
        raise TraceError(f"an add was answered with {answer.status}")
    return began, ended


def _read(file: Path) -> list[Event]:
    lines = (line.partition(" ") for line in file.read_text().splitlines())
    return [(int(nanoseconds), what) for nanoseconds, _, what in lines]


def _appends(stack: Stack, twin: Twin) -> dict[str, float]:
    """Return what the Restate server has counted of its log: appends, their seconds, fsyncs and theirs."""
    if twin != "restate":
        return {}
    text = requests.get(f"http://127.0.0.1:{stack.ports.restate_node}/metrics", timeout=10).text
    names = "bifrost_sequencer_append_wave_duration_seconds", "rocksdb_wal_file_sync_seconds"
    return {
        f"{name}_{kind}": sum(float(n) for n in re.findall(rf"^restate_{name}_{kind}(?:{{.*}})? (\S+)$", text, re.M))
        for name in names
        for kind in ("sum", "count")
    }


def _per_append(before: dict[str, float], after: dict[str, float]) -> str:
    """Say how long one append to Restate's log took on average, and the fsync in it."""
    passed = {name: after[name] - before[name] for name in after}
    appends, syncs = [
        1000 * passed[f"{name}_sum"] / passed[f"{name}_count"] if passed.get(f"{name}_count") else None
        for name in ("bifrost_sequencer_append_wave_duration_seconds", "rocksdb_wal_file_sync_seconds")
    ]
    if appends is None or syncs is None:
        return ""
    return f"an append takes {appends:.2f} ms, {syncs:.2f} of it the fsync"
