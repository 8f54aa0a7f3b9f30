"""The parts of `make bench`: each measures some fields of the record, and yields them as soon as it has them."""

import os
import re
from collections.abc import Callable, Generator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from tests.costs.measure import Progress, usage
from tests.costs.measure import growth as growing
from tests.costs.measure import load as loading
from tests.costs.measure import recovery as recovering
from tests.costs.measure import waterfall as falling
from tests.costs.measure.extra_servers import ExtraServers
from tests.costs.measure.running_apps import ROWS, RunningApp, twins_of
from tests.costs.measure.twin_internals import web_settings
from tests.costs.measure.workspace import workspace
from tests.costs.records import MINIMAL
from tests.support.database import execute
from todo_stack.ports import Ports
from todo_stack.process import Server
from todo_stack.stack import Stack
from todo_stack.twins import TWINS, Twin

USAGE_SECONDS = 3.0
LONGEST_OUTAGE_SECONDS = 300.0

_POSTGRES_SETTINGS = ("fsync", "synchronous_commit", "full_page_writes", "wal_sync_method")
_RESTATE_SETTINGS = re.compile("RESTATE_.*(PARTITIONS|THREAD_POOL|ROCKSDB|BIFROST|LOG_SERVER|INVOKER(?!.*_FILE))")
_WEB_SETTINGS = ("web_workers", "web_threads", "db_pool_size", "log_level")

Fields: TypeAlias = Mapping[str, Any]
"""Of the record; under "versions" more of these."""

Findings: TypeAlias = Generator[Fields, None, None]

Part: TypeAlias = Callable[[Path, Progress], Findings]
"""Measures in a folder of its own."""


def load(folder: Path, progress: Progress) -> Findings:
    """Measure throughput, latency and usage."""
    plan = loading.LoadPlan()
    with workspace(folder) as log, Stack(data=folder / "data", ports=Ports.free(), log=log) as stack:
        twins = twins_of(stack)
        idle = usage.idle_memory(twins)
        minimal = minimal_app(ExtraServers(stack, log))
        everyone = [*twins, minimal]
        progress.expect(plan.samples(everyone) + len(twins))
        measured = loading.measure(everyone, plan, progress)
        minimal.servers[MINIMAL].stop()
        yield {
            **measured,
            **usage.measure(twins, stack.ports.restate_node, plan.most_clients, USAGE_SECONDS, progress),
            "idle_memory_mb": idle,
            "settings": _settings(twins[0].database, stack.servers["restate"]),
            "versions": {"PostgreSQL": usage.postgres_version(twins[0].database)},
        }


def minimal_app(extra: ExtraServers) -> RunningApp:
    """Return a minimal Flask and psycopg2 insert, started beside the twins: what the plain twin's comfort costs."""
    database_url = extra.database(MINIMAL)
    server, url = extra.web(MINIMAL, "tests.costs.measure.minimal_app:create_app()", database_url)
    return RunningApp(MINIMAL, url, database_url, {MINIMAL: server})


def _settings(database_url: str, restate: Server) -> dict[str, str]:
    """Return what the servers were set to, as far as it decides what is durable and how fast it is."""
    postgres = [f"{name} {execute(database_url, f'SHOW {name}')[0][0]}" for name in _POSTGRES_SETTINGS]
    ours = [
        f"{name.removeprefix('RESTATE_')}={value}"
        for name, value in sorted(restate.env.items())
        if _RESTATE_SETTINGS.match(name)
    ]
    return {
        "PostgreSQL": ", ".join(postgres),
        "Restate": ", ".join(ours) or "its defaults",
        **{twin.title: _web_settings(twin) for twin in TWINS},
        "tables": f"{ROWS:,} todos when a sample begins",
    }


def _web_settings(twin: Twin) -> str:
    """Return what a twin's web goes by, from the environment or by default."""
    fields = web_settings(twin).model_fields
    return ", ".join(f"{name.upper()}={os.environ.get(name.upper(), fields[name].default)}" for name in _WEB_SETTINGS)


def waterfall(folder: Path, progress: Progress) -> Findings:
    """Measure where the time of one add goes."""
    yield {"waterfalls": falling.measure(folder, progress)}


def growth(folder: Path, progress: Progress) -> Findings:
    """Measure adds with more processes, rows and journals."""
    yield growing.measure(folder, progress)


def recovery(folder: Path, progress: Progress, meanwhile: Part | None = None) -> Findings:
    """Measure recovery, and something else while the longest outages last, which take nothing from the machine."""
    with recovering.in_background(folder / "long", LONGEST_OUTAGE_SECONDS) as long:
        if meanwhile:
            yield from meanwhile(folder / "meanwhile", progress)
        measured = recovering.measure(folder / "short", progress)
        yield measured
        yield {"recoveries": [*measured["recoveries"], *recovering.finish(long, progress)]}


PARTS: Mapping[str, Part] = {"load": load, "waterfall": waterfall, "recovery": recovery, "growth": growth}
"""Each by itself."""

WHOLE: Mapping[str, Part] = {
    "load": load,
    "waterfall": waterfall,
    "recovery and growth": partial(recovery, meanwhile=growth),
}
"""All of them, in order."""
