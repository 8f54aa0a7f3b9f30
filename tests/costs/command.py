"""What the two commands have in common: they show how far they are, and end in order when they are asked to."""

import contextlib
import signal
import sys
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.costs.measure import Advance
from todo_stack.paths import REPOSITORY

DATA = REPOSITORY / ".data" / "bench"
RESULTS = "results.json"

COSTS = REPOSITORY / "tests" / "costs" / RESULTS
PEER_COSTS = COSTS.parent / "peers" / RESULTS
"""What is kept in the repository, and shown in the READMEs."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def stop_in_order() -> None:
    """Let a signal end what runs as SystemExit in it; whatever comes after that must not disturb the clean-up."""

    def stop(number: int, _frame: object) -> None:
        for other in _SIGNALS:
            signal.signal(other, signal.SIG_IGN)
        sys.exit(128 + number)

    for number in _SIGNALS:
        signal.signal(number, stop)


def progress_on(console: Console) -> Progress:
    """Return lines on the terminal that tell how far each part is."""
    what = TextColumn("{task.description}")
    return Progress(what, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console)


@contextlib.contextmanager
def line_on(progress: Progress, name: str, of: int | None = None) -> Iterator[Advance]:
    """Yield what advances the line of one part; it ends with it."""
    task, how = progress.add_task(name, total=of), "failed"
    try:
        yield lambda what, of=None: progress.update(task, advance=1, total=of, description=f"{name}: {what}")
        how = "done"
    finally:
        done = progress.tasks[task].completed or 1
        progress.update(task, total=done, completed=done, description=f"{name}: {how}")
        progress.stop_task(task)
