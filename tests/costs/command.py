"""What the two commands have in common: they show how far they are, and end in order when they are asked to."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeAlias

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.support.run_environment import machine, versions
from tests.support.write_path import PACKAGES, write_path_hash
from todo_stack.applications import REPOSITORY
from todo_stack.postgres import find_binaries

DATA = REPOSITORY / ".data" / "bench"
RESULTS = "results.json"

COSTS = REPOSITORY / "tests" / "costs" / RESULTS
PEER_COSTS = COSTS.parent / "peers" / RESULTS
"""What is kept in the repository, and shown in the READMEs."""

Step: TypeAlias = Callable[..., None]
"""Is told what has been done, and `of` how many steps this is one, if that is known."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def stop_in_order() -> None:
    """Let a signal end what runs as SystemExit in it; whatever comes after that must not disturb the clean-up."""

    def stop(number: int, _frame: object) -> None:
        for other in _SIGNALS:
            signal.signal(other, signal.SIG_IGN)
        sys.exit(128 + number)

    for number in _SIGNALS:
        signal.signal(number, stop)


def started_now() -> dict[str, Any]:
    """Return when a run starts, on what, and of which code: fields of its record."""
    postgres = subprocess.run([find_binaries() / "postgres", "--version"], capture_output=True, text=True, check=True)
    return {
        "started": datetime.now(UTC),
        "machine": machine(),
        "versions": {"PostgreSQL": postgres.stdout.split()[2], **versions(PACKAGES)},
        "write_path": write_path_hash(REPOSITORY),
    }


def progress_on(console: Console) -> Progress:
    """Return lines on the terminal that tell how far each part is."""
    what = TextColumn("{task.description}")
    return Progress(what, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console)


@contextlib.contextmanager
def line_on(progress: Progress, name: str, of: int | None = None) -> Iterator[Step]:
    """Yield what advances the line of one part; it ends with it."""
    task, how = progress.add_task(name, total=of), "failed"
    try:
        yield lambda what, of=None: progress.update(task, advance=1, total=of, description=f"{name}: {what}")
        how = "done"
    finally:
        done = progress.tasks[task].completed or 1
        progress.update(task, total=done, completed=done, description=f"{name}: {how}")
        progress.stop_task(task)
