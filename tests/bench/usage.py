"""What adds take from the machine, server by server: CPU time, memory, writes and fsyncs."""

from collections.abc import Callable
from uuid import uuid4

import psutil
import requests
import tenacity

from tests.bench.arena import SERVERS, TWINS, Arena
from tests.bench.fsyncs import fsyncs
from tests.bench.load import put_load
from tests.bench.processes import Peak, resident, taken
from tests.bench.results import Contestant, Disk, Usage

WARM_UP_SECONDS = 0.7
RECONNECT_SECONDS = 10.0


def idle_memory(arena: Arena) -> dict[str, dict[str, float]]:
    """Return the resident memory of each server of each twin, in MB.

    What processes share, such as PostgreSQL's buffers, counts in each of them: it is more than what would become free.
    """
    return {
        twin: {name: round(resident(server) / 1e6, 1) for name, server in arena.servers(twin).items()} for twin in TWINS
    }


def measure(arena: Arena, clients: int, seconds: float, step: Callable[[str], None]) -> tuple[list[Usage], list[Disk]]:
    """Return what an add of each twin takes, with so many clients, by server, and what reaches the disk.

    Raises:
        LoadError: an answer was not the expected one.

    """
    usages: list[Usage] = []
    disks: list[Disk] = []
    for twin in TWINS:
        by_server, disk = _measure(arena, twin, clients, seconds)
        usages += by_server
        disks += [disk] if disk else []
        step(f"usage, {twin}")
    return usages, disks


def _measure(arena: Arena, twin: Contestant, clients: int, seconds: float) -> tuple[list[Usage], Disk | None]:
    request = arena.prepare(twin, "add", 0)
    url, servers = arena.urls[twin], arena.servers(twin)
    syncs = fsyncs(arena, twin)
    _reconnect(url)
    warm = put_load(url, request, clients=clients, seconds=WARM_UP_SECONDS)
    earlier = {name: taken(server) for name, server in servers.items()}
    disk = psutil.disk_io_counters()
    with Peak(servers) as peak:
        load = put_load(url, request, clients=clients, seconds=seconds)
        since = {name: taken(server).since(earlier[name]) for name, server in servers.items()}
    disk_then = psutil.disk_io_counters()
    adds = len(load.milliseconds)
    syncs_then, synced_adds = fsyncs(arena, twin), adds + len(warm.milliseconds)
    _reconnect(url)
    usages = [
        Usage(
            contestant=twin,
            operation="add",
            server=name,
            cpu_ms=round(since[name].cpu_seconds * 1000 / adds, 3),
            peak_memory_mb=round(peak.bytes[name] / 1e6, 1),
            written_kb=None if (written := since[name].written) is None else round(written / 1000 / adds, 2),
            fsyncs=round((syncs_then[name] - syncs[name]) / synced_adds, 3) if name in syncs else None,
        )
        for name in SERVERS[twin]
    ]
    if disk is None or disk_then is None:
        # In some containers the machine's disks cannot be seen.
        return usages, None
    return usages, Disk(
        contestant=twin,
        operation="add",
        written_kb=round((disk_then.write_bytes - disk.write_bytes) / 1000 / adds, 2),
        writes=round((disk_then.write_count - disk.write_count) / adds, 2),
    )


def _reconnect(url: str) -> None:
    """Let a twin find out that its connections to the database are gone, and open new ones."""
    again = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(requests.RequestException),
        stop=tenacity.stop_after_delay(RECONNECT_SECONDS),
        wait=tenacity.wait_fixed(0.1),
        reraise=True,
    )

    def ask() -> None:
        requests.get(f"{url}/", timeout=10).raise_for_status()
        added = requests.post(f"{url}/api/todos", json={"title": f"again {uuid4()}"}, timeout=10)
        added.raise_for_status()

    again(ask)
