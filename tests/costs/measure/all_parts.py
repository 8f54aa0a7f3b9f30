"""The parts of `make bench`: each measures some fields of the record, and yields them as soon as it has them."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from tests.costs.measure import Advance, Findings, growth, load, parts, pinned, recovery, usage, waterfall
from tests.costs.measure.beside_twins import both_app, minimal_app, step_apps
from tests.costs.measure.extra_servers import ExtraServers
from tests.costs.measure.running_apps import ROWS, twins_of
from tests.costs.measure.twin_internals import web_setting
from tests.costs.measure.workspace import workspace
from tests.costs.records import MINIMAL
from tests.support.database import execute
from todo_stack.ports import Ports
from todo_stack.process import Server
from todo_stack.stack import Stack
from todo_stack.twins import TWINS

USAGE_SECONDS = 2.1

_POSTGRES_SETTINGS = ("fsync", "synchronous_commit", "full_page_writes", "wal_sync_method")
_RESTATE_SETTINGS = re.compile("RESTATE_.*(PARTITIONS|THREAD_POOL|ROCKSDB|BIFROST|LOG_SERVER|INVOKER(?!.*_FILE))")
_WEB_SETTINGS = ("web_workers", "web_threads", "db_pool_size", "log_level")

Part: TypeAlias = Callable[[Path, Advance], Findings]
"""Measures in a folder of its own."""


def load_and_usage(folder: Path, step: Advance) -> Findings:
    """Measure throughput, latency and usage."""
    with workspace(folder) as log, Stack(data=folder / "data", ports=Ports.free(), log=log) as stack:
        twins = twins_of(stack)
        idle = usage.idle_memory(twins)
        minimal = minimal_app(ExtraServers(stack, log))
        with step_apps(stack, log) as steps:
            everyone = [*twins, minimal, *steps, both_app(twins[0], steps[0])]
            plan = load.LoadPlan(steps_after=len(everyone) + 1 + len(pinned.TIERS))
            measured = load.measure(everyone, plan, step)
            used = usage.measure(everyone, stack.ports.restate_node, plan.most_clients, USAGE_SECONDS, step)
            made_of = parts.measure(twins, used["usage"], plan.most_clients, step)
            minimal.servers[MINIMAL].stop()
        settings = _settings(twins[0].database, stack.servers["restate"])
        yield {**measured, **used, "parts": made_of, "idle_memory_mb": idle, "settings": settings}
        yield {"pinned": pinned.measure(stack, used["usage"], plan.most_clients, step)}


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
