"""The parts of `make bench`: each measures some fields of the record, and yields them as soon as it has them."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from tests.costs.measure import Advance, Findings, growth, load, recovery, usage, waterfall
from tests.costs.measure.extra_servers import ExtraServers
from tests.costs.measure.running_apps import ROWS, RunningApp, twins_of
from tests.costs.measure.twin_internals import web_setting
from tests.costs.measure.workspace import workspace
from tests.costs.records import MINIMAL
from tests.support.database import execute
from todo_stack.ports import Ports
from todo_stack.process import Server
from todo_stack.stack import Stack
from todo_stack.twins import TWINS

USAGE_SECONDS = 3.0

_POSTGRES_SETTINGS = ("fsync", "synchronous_commit", "full_page_writes", "wal_sync_method")
_RESTATE_SETTINGS = re.compile("RESTATE_.*(PARTITIONS|THREAD_POOL|ROCKSDB|BIFROST|LOG_SERVER|INVOKER(?!.*_FILE))")
_WEB_SETTINGS = ("web_workers", "web_threads", "db_pool_size", "log_level")

Part: TypeAlias = Callable[[Path, Advance], Findings]
"""Measures in a folder of its own."""


def load_and_usage(folder: Path, step: Advance) -> Findings:
    """Measure throughput, latency and usage."""
    plan = load.LoadPlan()
    with workspace(folder) as log, Stack(data=folder / "data", ports=Ports.free(), log=log) as stack:
        twins = twins_of(stack)
        idle = usage.idle_memory(twins)
        minimal = minimal_app(ExtraServers(stack, log))
        measured = load.measure([*twins, minimal], plan, step)
        minimal.servers[MINIMAL].stop()
        used = usage.measure(twins, stack.ports.restate_node, plan.most_clients, USAGE_SECONDS, step)
        settings = _settings(twins[0].database, stack.servers["restate"])
        yield {**measured, **used, "idle_memory_mb": idle, "settings": settings}


def minimal_app(extra: ExtraServers) -> RunningApp:
    """Return a minimal Flask and psycopg2 insert, started beside the twins: what the plain twin's comfort costs."""
    database_url = extra.database(MINIMAL)
    server, url = extra.web(MINIMAL, "tests.costs.measure.minimal_app:create_app()", {"DATABASE_URL": database_url})
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
        # From the environment or by default.
        **{
            twin.title: ", ".join(f"{name.upper()}={web_setting(twin, name)}" for name in _WEB_SETTINGS)
            for twin in TWINS
        },
        "tables": f"{ROWS:,} todos when a sample begins",
    }


def recovery_and_growth(folder: Path, step: Advance) -> Findings:
    """Measure both in the time of one."""
    yield from recovery.measure(folder, step, meanwhile=growth.measure(folder / "growth", step))


_FIRST: Mapping[str, Part] = {"load": load_and_usage, "waterfall": waterfall.measure}

PARTS: Mapping[str, Part] = {**_FIRST, "recovery": recovery.measure, "growth": growth.measure}
"""Each by itself."""

WHOLE: Mapping[str, Part] = {**_FIRST, "recovery and growth": recovery_and_growth}
"""All of them, in order."""
