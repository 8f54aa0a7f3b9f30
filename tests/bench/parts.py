"""The parts of `make bench`: each measures some of the fields of the results."""

import os
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any, Protocol

import psycopg

from flask_todo_restate.settings import WebSettings
from tests.bench import growth as growing
from tests.bench import recovery as recovering
from tests.bench import throughput, usage
from tests.bench import waterfall as falling
from tests.bench.arena import ROWS, Arena, version
from tests.bench.folder import fresh_folder
from tests.bench.minimal import minimal
from todo_shared.settings import Settings
from todo_stack.ports import Ports
from todo_stack.stack import Stack

USAGE_SECONDS = 3.0
LONGEST_OUTAGE_SECONDS = 300.0

_DURABLE = ("fsync", "synchronous_commit", "full_page_writes", "wal_sync_method")
_RESTATE = ("_PARTITIONS", "_THREAD_POOL", "ROCKSDB", "BIFROST", "LOG_SERVER", "__INVOKER__")
_NOT_ABOUT_SPEED = ("_PEM_FILE", "_DIR")


class Bar(Protocol):
    """Shows how far a part is."""

    def of(self, total: int) -> None:
        """Say how many steps there will be."""

    def step(self, what: str) -> None:
        """Say that one is done."""


Found = Mapping[str, Any]
"""Fields of the results, and under "versions" more of these."""

Findings = Generator[Found, None, None]

Part = Callable[[Path, Bar], Findings]
"""Takes a folder of its own and a bar, and yields what it has found as soon as it has."""


def load(folder: Path, bar: Bar) -> Findings:
    """Measure throughput, latency and usage.

    Raises:
        LoadError: an answer was not the expected one.
        StackError: a server does not start.

    """
    plan = throughput.Plan()
    with fresh_folder(folder) as log, Stack(data=folder / "data", ports=Ports.free(), log=log) as stack:
        twins = Arena.of_twins(stack)
        idle = usage.idle_memory(twins)
        bar.of(plan.samples(twins) + len(plan.extra_clients) * plan.rounds + len(twins.urls))
        with minimal(twins, folder / "minimal", log) as everyone:
            measured = throughput.measure(everyone, plan, bar.step)
        usages, disk = usage.measure(twins, plan.most_clients, USAGE_SECONDS, bar.step)
        yield {
            "closed": measured.closed,
            "ratios": measured.ratios,
            "open": measured.open,
            "minimal": measured.minimal,
            "usage": usages,
            "disk": disk,
            "idle_memory_mb": idle,
            "settings": _settings(twins),
            "versions": {"PostgreSQL": version(twins.databases["basic"])},
        }


def _settings(arena: Arena) -> dict[str, str]:
    """Return what the servers were set to, as far as it decides what is durable and how fast it is."""
    with psycopg.connect(arena.databases["basic"], autocommit=True) as connection:
        shown = [f"{name} {_show(connection, name)}" for name in _DURABLE]
    restate = [
        f"{name.removeprefix('RESTATE_')}={value}"
        for name, value in sorted(arena.stack.servers["restate"].env.items())
        if name.startswith("RESTATE_")
        and any(part in name for part in _RESTATE)
        and not any(part in name for part in _NOT_ABOUT_SPEED)
    ]
    return {
        "PostgreSQL": ", ".join(shown),
        "Restate": ", ".join(restate) or "its defaults",
        "flask-todo": _web(Settings),
        "flask-todo-restate": _web(WebSettings),
        "tables": f"{ROWS:,} todos when a sample begins",
    }


def _show(connection: psycopg.Connection, name: str) -> str:
    row = connection.execute(f"SHOW {name}".encode()).fetchone()
    return str(row[0]) if row else "unknown"


def _web(settings: type[Settings]) -> str:
    """Return what a twin's web goes by, from the environment or by default."""
    names = ("web_workers", "web_threads", "db_pool_size", "log_level")
    return ", ".join(
        f"{name.upper()}={os.environ.get(name.upper(), settings.model_fields[name].default)}" for name in names
    )


def waterfall(folder: Path, bar: Bar) -> Findings:
    """Measure where the time of one add goes.

    Raises:
        TraceError: an add did not go the way that is known.
        StackError: a server does not start.

    """
    yield {"waterfalls": falling.measure(folder, step=bar.step)}


def growth(folder: Path, bar: Bar) -> Findings:
    """Measure adds with more processes, rows and journals. Raises what load() raises."""
    workers, rows, journals = growing.measure(folder, step=bar.step)
    yield {"workers": workers, "rows": rows, "journals": journals}


def _nothing() -> Findings:
    yield from ()


def recovery(folder: Path, bar: Bar, meanwhile: Callable[[], Findings] = _nothing) -> Findings:
    """Measure recovery, and something else while the longest outages last.

    Raises:
        RecoveryError: something was not applied in time, or lost, or duplicated.
        StackError: a server does not start.

    """
    with recovering.Background(folder / "long", LONGEST_OUTAGE_SECONDS) as long:
        yield from meanwhile()
        recoveries, drain = recovering.measure(folder / "short", step=bar.step)
        yield {"recoveries": recoveries, "drain": drain}
        yield {"recoveries": [*recoveries, *long.finish(bar.step)]}


def recovery_and_growth(folder: Path, bar: Bar) -> Findings:
    """Measure both in the time of one: the longest outages take nothing from the machine while they last."""
    yield from recovery(folder, bar, meanwhile=lambda: growth(folder / "growth", bar))


PARTS: Mapping[str, Part] = {"load": load, "waterfall": waterfall, "recovery": recovery, "growth": growth}
"""Each by itself."""

WHOLE: Mapping[str, Part] = {"load": load, "waterfall": waterfall, "recovery and growth": recovery_and_growth}
"""All of them, in order."""
