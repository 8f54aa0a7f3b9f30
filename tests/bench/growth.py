"""Growth: what becomes of adds with more processes, with more rows, and with more calls that Restate remembers."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import requests

from tests.bench import figures
from tests.bench.arena import ROWS as FEW_ROWS
from tests.bench.arena import TWINS, fill
from tests.bench.folder import fresh_folder
from tests.bench.grown import grow, purge
from tests.bench.load import LoadError, Request, Sample, put_load
from tests.bench.results import Contestant, Journals, Rows, Workers
from tests.lab.twins import twin_of
from todo_stack.applications import WEBS
from todo_stack.ports import Ports
from todo_stack.stack import Stack

Step = Callable[[str], None]
"""Is told of each sample when it has been taken, in a word or two."""

ADD = Request("POST", "/api/todos", 201, {"title": "grown {unique}"})
SEND = Request("POST", "/TodoService/add_todo/send", 202, {"task": "grown {unique}"})
LIST = Request("GET", "/", 200)

ATTEMPTS = 3
"""A sample with a wrong answer is taken again: a machine that stands still for longer than the write budget gets
one."""

DURABLE: Contestant = "restate"

Anyone = TypeVar("Anyone")

Processes = tuple[int, int]
"""Of the web, and of the service endpoint."""


@dataclass(frozen=True)
class Plan:
    """How much is measured. Times are seconds."""

    clients: int = 32
    rounds: int = 2
    seconds: float = 2.0
    """Of a sample of adds."""
    list_seconds: float = 1.0
    """Of a sample of the list, by one client."""
    warm_up_seconds: float = 0.7
    """After a start."""
    processes: Sequence[Processes] = ((1, 1), (2, 1), (4, 1))
    rows: Sequence[int] = (1_000, 100_000, 1_000_000)
    journals: int = 5_000
    """At least: all calls of the run before are among them."""


def measure(
    folder: Path,
    plan: Plan = Plan(),
    step: Step = lambda _what: None,
) -> tuple[list[Workers], list[Rows], list[Journals]]:
    """Measure all three.

    Raises:
        LoadError: an answer was not the expected one, again and again.
        StackError: a server does not start.

    """
    with fresh_folder(folder) as log, Stack(data=folder / "twins", ports=Ports.free(), log=log) as stack:
        workers = _workers(stack, plan, step)
        rows = [one for number in plan.rows for one in _rows(stack, number, plan, step)]
        with Stack([DURABLE], data=folder / "new", ports=Ports.free(), log=log) as new:
            return workers, rows, _journals(stack, new, plan, step)


def _workers(stack: Stack, plan: Plan, step: Step) -> list[Workers]:
    """Measure adds with several numbers of processes, in turns, and leave one of each."""
    samples: dict[tuple[Contestant, Processes], list[Sample]] = defaultdict(list)
    for number in range(plan.rounds):
        for processes in _turns(plan.processes, number):
            # More service processes are none of the plain twin's business.
            for twin in _turns(TWINS if processes[1] == 1 else (DURABLE,), number):
                _run_with(stack, twin, processes)
                _adds(stack, twin, plan, plan.warm_up_seconds)
                samples[twin, processes].append(_adds(stack, twin, plan, plan.seconds))
                step(f"{processes[0]} web and {processes[1]} service processes")
    for twin in TWINS:
        _run_with(stack, twin, (1, 1))
        _adds(stack, twin, plan, plan.warm_up_seconds)
    return [
        Workers(
            contestant=twin,
            web_workers=web,
            service_processes=service if twin == DURABLE else None,
            per_second=_per_second(taken),
            p99_ms=_p99(taken),
        )
        for (twin, (web, service)), taken in sorted(samples.items())
    ]


def _run_with(stack: Stack, twin: Contestant, processes: Processes) -> None:
    """Start the servers of a twin anew, with so many processes."""
    settings = {WEBS[twin]: ("WEB_WORKERS", processes[0]), "restate_app": ("SERVICE_WORKERS", processes[1])}
    for name in [WEBS[twin], "restate_app"] if twin == DURABLE else [WEBS[twin]]:
        server, (setting, value) = stack.servers[name], settings[name]
        if server.env.get(setting) != str(value):
            server.stop()
            server.env[setting] = str(value)
            server.start()


def _rows(stack: Stack, number: int, plan: Plan, step: Step) -> list[Rows]:
    """Measure adds and the list on tables that have so many rows in the beginning, and the purge of half the ledger."""
    for twin in TWINS:
        grow(stack.database_url(twin), number, with_ledger=twin == DURABLE)
        step(f"{number:,} rows")
    adds: dict[Contestant, list[Sample]] = defaultdict(list)
    lists: dict[Contestant, list[Sample]] = defaultdict(list)
    for turn in range(plan.rounds):
        for twin in _turns(TWINS, turn):
            adds[twin].append(_adds(stack, twin, plan, plan.seconds))
            lists[twin].append(_sample(stack.ports.web_url(twin), LIST, clients=1, seconds=plan.list_seconds))
            step(f"{number:,} rows, adds and list")
    return [
        Rows(
            contestant=twin,
            rows=number,
            add_per_second=_per_second(adds[twin]),
            add_p99_ms=_p99(adds[twin]),
            list_p50_ms=figures.latency(lists[twin]).p50,
            purge_seconds=purge(stack.servers["restate_app"].env, number // 2) if twin == DURABLE else None,
        )
        for twin in TWINS
    ]


def _journals(many: Stack, few: Stack, plan: Plan, step: Step) -> list[Journals]:
    """Measure adds on a server that remembers many calls and on one that does not, in turns and on equal tables."""
    if (missing := plan.journals - _remembered(many)) > 0:
        put_load(many.ports.ingress_url, SEND, clients=plan.clients, seconds=60, stop_after=missing)
        twin_of(many, DURABLE).settle()
    for stack in (few, many):
        _adds(stack, DURABLE, plan, plan.warm_up_seconds)
    journals = {stack: _remembered(stack) for stack in (few, many)}
    samples: dict[Stack, list[Sample]] = defaultdict(list)
    for number in range(plan.rounds):
        for stack in _turns((few, many), number):
            fill(stack.database_url(DURABLE), FEW_ROWS)
            samples[stack].append(_adds(stack, DURABLE, plan, plan.seconds))
            step(f"{journals[stack]:,} journals")
    return [
        Journals(journals=journals[stack], per_second=_per_second(samples[stack]), p99_ms=_p99(samples[stack]))
        for stack in (few, many)
    ]


def _remembered(stack: Stack) -> int:
    """Return how many calls the Restate server keeps."""
    answer = requests.post(
        f"{stack.ports.admin_url}/query",
        json={"query": "SELECT count(*) AS number FROM sys_invocation"},
        headers={"accept": "application/json"},
        timeout=30,
    )
    answer.raise_for_status()
    return int(answer.json()["rows"][0]["number"])


def _adds(stack: Stack, twin: Contestant, plan: Plan, seconds: float) -> Sample:
    return _sample(stack.ports.web_url(twin), ADD, clients=plan.clients, seconds=seconds)


def _sample(url: str, request: Request, *, clients: int, seconds: float) -> Sample:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return put_load(url, request, clients=clients, seconds=seconds)
        except LoadError:
            if attempt == ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def _turns(everyone: Sequence[Anyone], number: int) -> Iterable[Anyone]:
    """Return these, in the other order in every other round: none always comes first."""
    return reversed(everyone) if number % 2 else everyone


def _per_second(samples: Sequence[Sample]) -> float:
    return figures.spread([sample.throughput for sample in samples]).median


def _p99(samples: Sequence[Sample]) -> float:
    if (p99 := figures.latency(samples).p99) is None:
        raise LoadError(f"{sum(len(sample.milliseconds) for sample in samples)} answers are too few to tell the p99")
    return round(p99, 3)
