"""What adds take from the machine, server by server: CPU time, memory, writes and fsyncs.

All processes of a server count: gunicorn's workers and PostgreSQL's backends are its children.
"""

import contextlib
import math
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple
from uuid import uuid4

import psutil
import requests

from tests.costs.measure import Advance
from tests.costs.measure.load_generator import Request, Sample, again_if_wrong, put_load
from tests.costs.measure.rounds import in_turns
from tests.costs.measure.running_apps import RunningApp
from tests.costs.records import TWIN_NAMES, ApplicationName, DiskUsage, ServerUsage
from tests.support.database import execute
from tests.support.waiting import until
from todo_stack import tree
from todo_stack.process import Server

SAMPLE_SECONDS = 0.25
WARM_UP_SECONDS, ROUNDS = 0.4, 3
RECONNECT_SECONDS = 10.0

_POSTGRES_FSYNCS = "SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal'"


def _by_server(ask: Callable[[psutil.Process], float], servers: Mapping[str, Server]) -> dict[str, float]:
    """Return what is asked of the processes of each server, in sum."""
    found = dict.fromkeys(servers, 0.0)
    for name, server in servers.items():
        for process in tree.family(server.pid) if server.pid else []:
            # It may have ended since it was listed.
            with contextlib.suppress(psutil.NoSuchProcess):
                found[name] += ask(process)
    return found


class Used(NamedTuple):
    """A sample, and the processor time that each server took meanwhile, in milliseconds."""

    sample: Sample
    cpu_ms: Mapping[str, float]


@again_if_wrong
def put_load_and_look(
    url: str, request: Request, servers: Mapping[str, Server], *, clients: int, seconds: float
) -> Used:
    """Put load on an address, and look what it takes; raises LoadError as put_load() does."""
    before = _by_server(_cpu_ms, servers)
    sample = put_load(url, request, clients=clients, seconds=seconds)
    return Used(sample, {name: now - before[name] for name, now in _by_server(_cpu_ms, servers).items()})


def of_each(taken: Sequence[Used]) -> dict[str, float]:
    """Return the processor time of each server for one answer, in milliseconds, over all these samples."""
    answers = sum(len(used.sample.milliseconds) for used in taken)
    return {server: round(sum(used.cpu_ms[server] for used in taken) / answers, 3) for server in taken[0].cpu_ms}


def _cpu_ms(process: psutil.Process) -> float:
    # The first four: user and system, and those of children that have ended, on Linux. Backends come and go.
    return 1000 * float(sum(process.cpu_times()[:4]))


def _written(process: psutil.Process) -> float:
    """Return the bytes that a process gave to write(2), or NaN where the system does not tell.

    Not those that the kernel accounts as dirtied: it takes large pages for whole, a hundred times what was written.
    """
    with contextlib.suppress(AttributeError, psutil.AccessDenied):
        return float(process.io_counters().write_chars)
    return math.nan


def _resident_memory(process: psutil.Process) -> float:
    return float(process.memory_info().rss)


def _private_memory(process: psutil.Process) -> float:
    """Return the bytes that a process has for itself, where the system tells; else all that it has in memory."""
    with contextlib.suppress(psutil.AccessDenied):
        return float(process.memory_full_info().uss)
    return _resident_memory(process)


@contextlib.contextmanager
def _peak_memory(servers: Mapping[str, Server]) -> Iterator[dict[str, float]]:
    """Yield the most private memory, in bytes, that each server has at one time until the end."""
    most = dict.fromkeys(servers, 0.0)
    ended = threading.Event()

    def watch() -> None:
        while True:
            for name, memory in _by_server(_private_memory, servers).items():
                most[name] = max(most[name], memory)
            if ended.wait(SAMPLE_SECONDS):
                return

    with ThreadPoolExecutor(1, thread_name_prefix="memory") as thread:
        watching = thread.submit(watch)
        try:
            yield most
        finally:
            ended.set()
        watching.result()


def idle_memory(twins: Sequence[RunningApp]) -> dict[ApplicationName, dict[str, float]]:
    """Return the resident memory of each server of each twin, in MB.

    What processes share, such as PostgreSQL's buffers, counts in each of them: it is more than what would become free.
    """
    found = {twin.name: _by_server(_resident_memory, twin.servers) for twin in twins}
    return {twin: {name: round(memory / 1e6, 1) for name, memory in servers.items()} for twin, servers in found.items()}


class Taken(NamedTuple):
    """What a sample of adds took, by server and of the machine's disks; NaN where the system does not tell."""

    adds: int
    cpu_ms: dict[str, float]
    written: dict[str, float]
    peak: dict[str, float]
    fsyncs: dict[str, float]
    synced_adds: int
    """Those during which fsyncs were counted: of the warm-up, too."""
    disk: tuple[int, int] | None
    """Bytes and writes; None if the disks cannot be seen, as in some containers."""


def measure(
    apps: Sequence[RunningApp], node_port: int, clients: int, seconds: float, step: Advance
) -> dict[str, list[Any]]:
    """Return what an add takes, with so many clients, by server and on the disk: fields of the record.

    They take turns, so many seconds in all for each.
    """
    taken: dict[RunningApp, list[Taken]] = {app: [] for app in apps}
    for app in in_turns(list(apps), ROUNDS):
        taken[app].append(_take(app, node_port, clients, seconds / ROUNDS))
        if len(taken[app]) == ROUNDS:
            step(f"usage, {app.name}")
    usage, disk = [], []
    for app, each in taken.items():
        adds, synced_adds = sum(one.adds for one in each), sum(one.synced_adds for one in each)
        usage += [
            ServerUsage(
                application=app.name,
                server=name,
                cpu_ms=round(sum(one.cpu_ms[name] for one in each) / adds, 3),
                peak_memory_mb=round(max(one.peak[name] for one in each) / 1e6, 1),
                written_kb=_quotient(sum(one.written[name] for one in each), adds * 1000),
                fsyncs=_quotient(sum(one.fsyncs.get(name, math.nan) for one in each), synced_adds),
            )
            for name in app.servers
        ]
        if disks := [one.disk for one in each if one.disk]:
            written, writes = (sum(counted) for counted in zip(*disks, strict=True))
            entry = DiskUsage(
                application=app.name, written_kb=round(written / 1000 / adds, 2), writes=round(writes / adds, 2)
            )
            disk.append(entry)
    return {"usage": usage, "disk": disk}


def _take(app: RunningApp, node_port: int, clients: int, seconds: float) -> Taken:
    add = app.prepare("add")
    fsyncs = _fsyncs(app, node_port)
    warm_up = put_load(app.url, add, clients=clients, seconds=WARM_UP_SECONDS)
    cpu, written, disks = _taken(app)
    with _peak_memory(app.servers) as peak:
        load = put_load(app.url, add, clients=clients, seconds=seconds)
        cpu_after, written_after, disks_after = _taken(app)
    adds = len(load.milliseconds)
    seen = disks and disks_after
    return Taken(
        adds,
        _differences(cpu_after, cpu),
        _differences(written_after, written),
        peak,
        _differences(_fsyncs(app, node_port), fsyncs),
        adds + len(warm_up.milliseconds),
        (disks_after.write_bytes - disks.write_bytes, disks_after.write_count - disks.write_count) if seen else None,
    )


def _differences(after: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    return {name: after[name] - before[name] for name in after.keys() & before.keys()}


def _taken(app: RunningApp) -> tuple[dict[str, float], dict[str, float], Any]:
    """Return the CPU time and the written bytes of each server until now, and the counters of the machine's disks."""
    return _by_server(_cpu_ms, app.servers), _by_server(_written, app.servers), psutil.disk_io_counters()


def _quotient(above: float, below: float) -> float | None:
    return None if math.isnan(above) else round(above / below, 3)


def _fsyncs(twin: RunningApp, node_port: int) -> dict[str, float]:
    """Return how often each server has had its write-ahead log written to disk, as far as it tells; of twins only.

    Closes the twin's connections to its database: a backend publishes what it has counted when it has been idle for ten
    seconds, or at its end. When this returns, the twin has new ones.
    """
    if twin.name not in TWIN_NAMES:
        return {}
    backends = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    execute(twin.database, f"SELECT pg_terminate_backend(pid, 5000) {backends}")
    found = {"db": float(execute(twin.database, _POSTGRES_FSYNCS)[0][0])}
    # A line for each of its databases: the log's is the one that counts.
    if "restate" in twin.servers and (synced := metric(node_port, "rocksdb_wal_synced_total")) is not None:
        found["restate"] = synced

    def reads_and_writes() -> bool:
        again = {"title": f"again {uuid4()}"}
        reads = requests.get(f"{twin.url}/", timeout=10).ok
        return reads and requests.post(f"{twin.url}/api/todos", json=again, timeout=10).ok

    until(reads_and_writes, f"{twin.url} has new connections to its database", RECONNECT_SECONDS)
    return found


def metric(node_port: int, name: str) -> float | None:
    """Return the sum of a metric of the Restate server over its labels; None if it does not tell."""
    text = requests.get(f"http://127.0.0.1:{node_port}/metrics", timeout=30).text
    found = re.findall(rf"^restate_{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE)
    return sum(map(float, found)) if found else None
