"""Growth: what becomes of adds with more clients, processes, nodes, rows, and calls that Restate remembers."""

import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path

from tests.costs.measure import Advance, Findings, LoadError, twin_internals
from tests.costs.measure.load_generator import ADD, LIST, Sample, add_by_message, again_if_wrong, put_load
from tests.costs.measure.parts import PAGE_CLIENTS
from tests.costs.measure.rounds import in_turns, latency, throughput
from tests.costs.measure.running_apps import ROWS, RunningApp, fill, twins_of
from tests.costs.measure.usage import Used, idle_memory, put_load_and_look
from tests.costs.measure.workspace import workspace
from tests.costs.records import ApplicationName, Growth, GrowthFactor
from tests.support import restate_admin
from tests.support.database import execute
from tests.support.running_twin import restate_twin
from todo_stack.output import Log
from todo_stack.paths import REPOSITORY
from todo_stack.ports import Ports
from todo_stack.process import Server
from todo_stack.size import Size
from todo_stack.stack import Stack
from todo_stack.twins import RESTATE

CLIENTS, ROUNDS = 32, 2
ADD_SECONDS, LIST_SECONDS, WARM_UP_SECONDS = 1.0, 0.7, 0.4
"""Of a sample of adds, of one of the list, by one client, and after a start."""

WEB_WORKERS, SERVICE_WORKERS = (1, 2, 4), (1, 2)
CLIENT_COUNTS, NODES = (1, 8, 32, 256, 400), 3
"""The last is more clients than any web has room for: threads and a queue of 256."""
ROW_COUNTS = (1_000, 100_000, 1_000_000)
JOURNALS = (1_000, 3_000)
"""At least, beside a new server's few; all calls of the run before are among the most."""

# Ids in no order, as those of calls are. Half of the rows are a month old and more, the others less than six days.
_LEDGER = """
    INSERT INTO operation (operation_id, result, created_at)
    SELECT 'inv_' || md5(number::text) || '/db_add',
           jsonb_build_object('id', number, 'task', 'grown ' || number, 'completed', false, 'order', null),
           now() - CASE WHEN number <= %s THEN interval '30 days' ELSE interval '0' END
                 - (number %% %s) * interval '1 second'
    FROM generate_series(1, %s) AS number
"""

_sample = again_if_wrong(put_load)


def measure(folder: Path, step: Advance) -> Findings:
    """Measure all of them."""
    with workspace(folder) as log, Stack(data=folder / "twins", ports=Ports.free(), log=log) as stack:
        twins = twins_of(stack)
        webs = {twin: next(iter(twin.servers.values())) for twin in twins}
        services = {twin: twin.servers[RESTATE.writer] for twin in twins if RESTATE.writer in twin.servers}
        growth = [
            *_with_clients(twins, step),
            *_with_processes("web processes", webs, WEB_WORKERS, step),
            *_with_processes("service processes", services, SERVICE_WORKERS, step),
        ]
        for rows in ROW_COUNTS:
            growth += _with_rows(twins, rows, step)
        with (
            Stack([RESTATE], data=folder / "new", ports=Ports.free(), log=log) as new,
            Stack([RESTATE], data=folder / "some", ports=Ports.free(), log=log) as some,
        ):
            growth += _with_journals((new, some, stack), step)
            yield {"growth": growth}
            yield {"growth": [*growth, *_with_nodes(new, folder / "nodes", log, step)]}


def _with_clients(twins: Sequence[RunningApp], step: Advance) -> Iterator[Growth]:
    """Measure adds by few and by many clients; where the web has no room for more of them, it says so."""
    add = ADD._replace(busy=503)
    for twin in twins:
        fill(twin.database, ROWS)
        _sample(twin.url, ADD, clients=CLIENTS, seconds=WARM_UP_SECONDS)
    taken: dict[tuple[int, RunningApp], list[Used]] = defaultdict(list)
    for clients, twin in in_turns(list(product(CLIENT_COUNTS, twins)), ROUNDS):
        used = put_load_and_look(twin.url, add, twin.servers, clients=clients, seconds=ADD_SECONDS)
        taken[clients, twin].append(used)
        step(f"{clients} clients")
    for (clients, twin), each in taken.items():
        yield _growth("clients", twin.name, clients, each)


def _with_nodes(one: Stack, folder: Path, log: Log, step: Advance) -> Iterator[Growth]:
    """Measure adds with one Restate server and with a cluster, in turns."""
    with Stack([RESTATE], data=folder, ports=Ports.free(NODES), log=log, size=Size(nodes=NODES)) as cluster:
        twins = {nodes: twins_of(stack)[0] for nodes, stack in ((1, one), (NODES, cluster))}
        for twin in twins.values():
            fill(twin.database, ROWS)
            _sample(twin.url, ADD, clients=CLIENTS, seconds=WARM_UP_SECONDS)
        taken: dict[int, list[Used]] = defaultdict(list)
        for nodes in in_turns(list(twins), ROUNDS):
            taken[nodes].append(_adds(twins[nodes]))
            step(f"{nodes} nodes")
        for nodes, each in taken.items():
            yield _growth("nodes", RESTATE.key, nodes, each)


def _adds(twin: RunningApp) -> Used:
    return put_load_and_look(twin.url, ADD, twin.servers, clients=CLIENTS, seconds=ADD_SECONDS)


def _with_processes(
    what: GrowthFactor, servers: Mapping[RunningApp, Server], counts: Sequence[int], step: Advance
) -> Iterator[Growth]:
    """Measure adds with several numbers of processes of these servers, in turns, and leave one of each."""
    setting = {"web processes": "WEB_WORKERS", "service processes": "RESTATE_SERVICE_WORKERS"}[what]

    def warm(twin: RunningApp, count: int) -> None:
        server = servers[twin]
        if server.env.get(setting) != str(count):
            server.stop()
            server.env[setting] = str(count)
            server.start()
        _sample(twin.url, ADD, clients=CLIENTS, seconds=WARM_UP_SECONDS)

    samples: dict[tuple[ApplicationName, int], list[Used]] = defaultdict(list)
    pages: dict[tuple[ApplicationName, int], list[Sample]] = defaultdict(list)
    memory: dict[tuple[ApplicationName, int], float] = {}
    for count, twin in in_turns(list(product(counts, servers)), ROUNDS):
        warm(twin, count)
        samples[twin.name, count].append(_adds(twin))
        if what == "web processes":
            pages[twin.name, count].append(_sample(twin.url, LIST, clients=PAGE_CLIENTS, seconds=LIST_SECONDS))
            memory[twin.name, count] = next(iter(idle_memory([twin])[twin.name].values()))
        step(f"{count} {what}")
    for twin in servers:
        warm(twin, 1)
    for (application, count), taken in sorted(samples.items()):
        listed = pages.get((application, count))
        a_second = throughput(listed).median if listed else None
        more = {"pages_per_second": a_second, "web_memory_mb": memory.get((application, count))}
        yield _growth(what, application, count, taken, **more)


def _with_rows(twins: Sequence[RunningApp], rows: int, step: Advance) -> Iterator[Growth]:
    """Measure adds and the list on tables that have so many rows in the beginning, and the purge of half the ledger."""
    for twin in twins:
        fill(twin.database, rows)
        if twin.name == RESTATE.key:
            execute(twin.database, _LEDGER, rows // 2, rows // 2, rows)
        # Now and not by themselves in the middle of a sample.
        for statement in ("VACUUM ANALYZE", "CHECKPOINT"):
            execute(twin.database, statement)
        step(f"{rows:,} rows")
    adds: dict[RunningApp, list[Used]] = defaultdict(list)
    lists: dict[RunningApp, list[Sample]] = defaultdict(list)
    for twin in in_turns(twins, ROUNDS):
        adds[twin].append(_adds(twin))
        lists[twin].append(_sample(twin.url, LIST, clients=1, seconds=LIST_SECONDS))
        step(f"{rows:,} rows, adds and list")
    for twin in twins:
        purge = _purge_seconds(twin.servers[RESTATE.writer].env, rows // 2) if twin.name == RESTATE.key else None
        list_p50 = latency(lists[twin]).p50
        yield _growth("rows", twin.name, rows, adds[twin], list_p50_ms=list_p50, purge_seconds=purge)


def _purge_seconds(environment: Mapping[str, str], expected: int) -> float:
    """Return the seconds that the ledger's purge took, in a process with this environment."""
    command = [sys.executable, "-m", twin_internals.__name__]
    done = subprocess.run(command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    rows, _, seconds = done.stdout.partition(" ")
    if rows != str(expected):
        raise LoadError(f"the purge deleted {rows or 'none'} of {expected} rows: {done.stderr.strip()[-2000:]}")
    return round(float(seconds), 3)


def _with_journals(stacks: Sequence[Stack], step: Advance) -> Iterator[Growth]:
    """Measure adds on a new server and on others that remember more calls, in turns and on equal tables."""
    for stack, number in zip(stacks[1:], JOURNALS, strict=True):
        if (missing := number - _remembered_calls(stack)) > 0:
            message = add_by_message("grown")
            put_load(stack.ports.ingress_url, message, clients=CLIENTS, seconds=60, stop_after=missing)
            restate_twin(stack).settle()
    for stack in stacks:
        _sample(stack.ports.web_url(RESTATE), ADD, clients=CLIENTS, seconds=WARM_UP_SECONDS)
    journals = {stack: _remembered_calls(stack) for stack in stacks}
    samples: dict[Stack, list[Used]] = defaultdict(list)
    for stack in in_turns(stacks, ROUNDS):
        fill(stack.database_url(RESTATE), ROWS)
        (twin,) = (app for app in twins_of(stack) if app.name == RESTATE.key)
        samples[stack].append(_adds(twin))
        step(f"{journals[stack]:,} journals")
    for stack in stacks:
        yield _growth("journals", RESTATE.key, journals[stack], samples[stack])


def _remembered_calls(stack: Stack) -> int:
    (row,) = restate_admin.query(stack.ports.admin_url, "SELECT count(*) AS number FROM sys_invocation")
    return int(row["number"])


def _growth(
    what: GrowthFactor, application: ApplicationName, size: int, taken: Sequence[Used], **others: float | None
) -> Growth:
    samples = [one.sample for one in taken]
    return Growth(
        what=what,
        application=application,
        size=size,
        per_second=throughput(samples).median,
        p99_ms=latency(samples).p99,
        cpu_ms=round(sum(sum(one.cpu_ms.values()) for one in taken) / sum(len(one.milliseconds) for one in samples), 3),
        refused=sum(one.refused for one in samples),
        **others,
    )
