"""What adds take from the machine, server by server: CPU time, memory, writes and fsyncs.

All processes of a server count: gunicorn's workers and PostgreSQL's backends are its children.
"""

import contextlib
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple
from uuid import uuid4

import psutil
import requests

from tests.costs.measure import Progress
from tests.costs.measure.load_generator import put_load
from tests.costs.measure.running_apps import RunningApp
from tests.costs.records import Application, DiskUsage, ServerUsage
from tests.support.database import execute
from tests.support.waiting import until
from todo_stack import tree
from todo_stack.process import Server

SAMPLE_SECONDS = 0.25
WARM_UP_SECONDS = 0.7
RECONNECT_SECONDS = 10.0

_POSTGRES_FSYNCS = "SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal'"


class _Taken(NamedTuple):
    """What a server has taken since its start."""

    cpu_seconds: float
    written: float | None
    """Bytes given to write(2); None where the system does not tell. Not those that the kernel accounts as dirtied:
    it takes large pages for whole, a hundred times what was written."""


@contextlib.contextmanager
def _peak_memory(servers: Mapping[str, Server]) -> Iterator[dict[str, int]]:
    """Yield the most private memory, in bytes, that each server has at one time until the end."""
    most = dict.fromkeys(servers, 0)
    ended = threading.Event()

    def watch() -> None:
        while True:
            for name, server in servers.items():
                most[name] = max(most[name], int(_sum(_private_memory, server)))
            if ended.wait(SAMPLE_SECONDS):
                return

    with ThreadPoolExecutor(1, thread_name_prefix="memory") as thread:
        watching = thread.submit(watch)
        try:
            yield most
        finally:
            ended.set()
        watching.result()


def _taken(servers: Mapping[str, Server]) -> dict[str, _Taken]:
    """Return what servers have taken until now."""
    found = {}
    for name, server in servers.items():
        # The first four: user and system, and those of children that have ended, on Linux. Backends come and go.
        cpu = _sum(lambda process: sum(process.cpu_times()[:4]), server)
        written: float | None = None
        with contextlib.suppress(AttributeError, psutil.AccessDenied):
            written = _sum(lambda process: process.io_counters().write_chars, server)
        found[name] = _Taken(cpu, written)
    return found


def _private_memory(process: psutil.Process) -> int:
    """Return the bytes that a process has for itself, where the system tells; else all that it has in memory."""
    try:
        return int(process.memory_full_info().uss)
    except psutil.AccessDenied:
        return int(process.memory_info().rss)


def _sum(ask: Callable[[psutil.Process], float], server: Server) -> float:
    total = 0.0
    for process in tree.family(server.pid) if server.pid else []:
        # It may have ended since it was listed.
        with contextlib.suppress(psutil.NoSuchProcess):
            total += ask(process)
    return total


def idle_memory(twins: Sequence[RunningApp]) -> dict[Application, dict[str, float]]:
    """Return the resident memory of each server of each twin, in MB.

    What processes share, such as PostgreSQL's buffers, counts in each of them: it is more than what would become free.
    """

    def megabytes(server: Server) -> float:
        return round(_sum(lambda process: process.memory_info().rss, server) / 1e6, 1)

    return {twin.name: {name: megabytes(server) for name, server in twin.servers.items()} for twin in twins}


def measure(twin: RunningApp, node_port: int, clients: int, seconds: float, progress: Progress) -> dict[str, list[Any]]:
    """Return what an add of a twin takes, with so many clients, by server and on the disk: fields of the record."""
    add = twin.prepare("add")
    fsyncs = _fsyncs(twin, node_port)
    _reconnect(twin.url)
    warm_up = put_load(twin.url, add, clients=clients, seconds=WARM_UP_SECONDS)
    before, disk_before = _taken(twin.servers), psutil.disk_io_counters()
    with _peak_memory(twin.servers) as peak:
        load = put_load(twin.url, add, clients=clients, seconds=seconds)
        after, disk_after = _taken(twin.servers), psutil.disk_io_counters()
    fsyncs_after = _fsyncs(twin, node_port)
    _reconnect(twin.url)
    adds = len(load.milliseconds)
    synced_adds = adds + len(warm_up.milliseconds)

    usage = [
        ServerUsage(
            application=twin.name,
            server=name,
            cpu_ms=round((after[name].cpu_seconds - before[name].cpu_seconds) * 1000 / adds, 3),
            peak_memory_mb=round(peak[name] / 1e6, 1),
            written_kb=_per_add(after[name].written, before[name].written, adds * 1000),
            fsyncs=_per_add(fsyncs_after.get(name), fsyncs.get(name), synced_adds),
        )
        for name in twin.servers
    ]
    disk = []
    # In some containers the machine's disks cannot be seen.
    if disk_before and disk_after:
        written = round((disk_after.write_bytes - disk_before.write_bytes) / 1000 / adds, 2)
        writes = round((disk_after.write_count - disk_before.write_count) / adds, 2)
        disk.append(DiskUsage(application=twin.name, written_kb=written, writes=writes))
    progress.step(f"usage, {twin.name}")
    return {"usage": usage, "disk": disk}


def _per_add(after: float | None, before: float | None, adds: float) -> float | None:
    return None if after is None or before is None else round((after - before) / adds, 3)


def _fsyncs(twin: RunningApp, node_port: int) -> dict[str, float | None]:
    """Return how often each server has had its write-ahead log written to disk, as far as it tells.

    Closes the twin's connections to its database: a backend publishes what it has counted when it has been idle for ten
    seconds, or at its end.
    """
    backends = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    execute(twin.database, f"SELECT pg_terminate_backend(pid, 5000) {backends}")
    found: dict[str, float | None] = {"db": float(execute(twin.database, _POSTGRES_FSYNCS)[0][0])}
    if "restate" in twin.servers:
        # A line for each of its databases: the log's is the one that counts.
        found["restate"] = metric(node_port, "rocksdb_wal_synced_total")
    return found


def postgres_version(database_url: str) -> str:
    """Return the version of PostgreSQL."""
    return str(execute(database_url, "SHOW server_version")[0][0]).split()[0]


def _reconnect(url: str) -> None:
    """Let a twin find out that its connections to the database are gone, and open new ones."""

    def reads_and_writes() -> bool:
        again = {"title": f"again {uuid4()}"}
        return requests.get(f"{url}/", timeout=10).ok and requests.post(f"{url}/api/todos", json=again, timeout=10).ok

    until(reads_and_writes, f"{url} has new connections to its database", RECONNECT_SECONDS)


def metric(node_port: int, name: str) -> float | None:
    """Return the sum of a metric of the Restate server over its labels; None if it does not tell."""
    text = requests.get(f"http://127.0.0.1:{node_port}/metrics", timeout=30).text
    found = re.findall(rf"^restate_{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE)
    return sum(map(float, found)) if found else None
