"""What the two commands have in common: they show how far they are, and end in order when they are asked to."""

import signal
from datetime import UTC, datetime
from types import FrameType
from typing import Any, NoReturn

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.support.run_environment import machine, versions
from tests.support.write_path import PACKAGES, write_path_hash
from todo_stack.applications import REPOSITORY

DATA = REPOSITORY / ".data" / "bench"
RESULTS = "results.json"

COSTS = REPOSITORY / "tests" / "costs" / RESULTS
PEER_COSTS = COSTS.parent / "peers" / RESULTS
"""What is kept in the repository, and shown in the READMEs."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StoppedError(SystemExit):
    """Somebody asked to stop."""


def stop_in_order() -> None:
    """Let a signal end what runs as an exception in it; whatever comes after that must not disturb the clean-up."""

    def stop(number: int, _frame: FrameType | None) -> NoReturn:
        for other in _SIGNALS:
            signal.signal(other, signal.SIG_IGN)
        raise StoppedError(128 + number)

    for number in _SIGNALS:
        signal.signal(number, stop)


def started_now() -> dict[str, Any]:
    """Return when a run starts, on what, and of which code: fields of its record."""
    code = {"versions": versions(PACKAGES), "write_path": write_path_hash(REPOSITORY)}
    return {"started": datetime.now(UTC), "machine": machine(), **code}


def progress_on(console: Console) -> Progress:
    """Return lines on the terminal that tell how far each part is."""
    what = TextColumn("{task.description}")
    return Progress(what, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console)


class ProgressLine:
    """The line of one part, which is told what has been done."""

    def __init__(self, progress: Progress, name: str, total: int | None = None) -> None:
        """Show the part; how many steps it has may not be known yet."""
        self._progress = progress
        self._name = name
        self._task = progress.add_task(name, total=total)

    @property
    def done(self) -> float:
        """How many steps have been done."""
        return self._progress.tasks[self._task].completed

    def expect(self, total: int) -> None:
        """Say how many steps there will be."""
        self._progress.update(self._task, total=total)

    def step(self, what: str) -> None:
        """Say that one is done."""
        self._progress.update(self._task, advance=1, description=f"{self._name}: {what}")

    def end(self, how: str) -> None:
        """Say that the part is over."""
        done = self.done or 1
        self._progress.update(self._task, total=done, completed=done, description=f"{self._name}: {how}")
        self._progress.stop_task(self._task)
