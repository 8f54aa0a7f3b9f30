"""make bench: measures both twins and draws the page."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from tests.bench import page, table
from tests.bench.load import LoadError
from tests.bench.outage import RecoveryError
from tests.bench.parts import PARTS, WHOLE
from tests.bench.results import Results
from tests.bench.show import against_dbos, latest_peers
from tests.bench.waterfall import TraceError
from tests.lab.compare import machine, versions
from todo_stack import tree
from todo_stack.applications import REPOSITORY
from todo_stack.errors import StackError
from todo_stack.lock import locked

DATA = REPOSITORY / ".data" / "bench"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FAILURES = (StackError, LoadError, TraceError, RecoveryError)
"""What ends a part; the others are measured all the same."""


class Stopped(SystemExit):
    """Somebody asked to stop."""


class Bar:
    """A part's line on the terminal."""

    def __init__(self, progress: Progress, name: str) -> None:
        """Show the part; how many steps it has is not known yet."""
        self._progress = progress
        self._name = name
        self._task: TaskID = progress.add_task(name, total=None)

    def of(self, total: int) -> None:
        """Say how many steps there will be."""
        self._progress.update(self._task, total=total)

    def step(self, what: str) -> None:
        """Say that one is done."""
        self._progress.update(self._task, advance=1, description=f"{self._name}: {what}")

    def end(self, how: str) -> None:
        """Say that the part is over."""
        done = self._progress.tasks[self._task].completed
        self._progress.update(self._task, total=done or 1, completed=done or 1, description=f"{self._name}: {how}")
        self._progress.stop_task(self._task)


def stop(number: int, _frame: FrameType | None) -> None:
    """End what runs, as an exception in it; whatever comes after that must not disturb the clean-up."""
    for other in SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    raise Stopped(128 + number)


@click.command()
@click.option("--only", type=click.Choice([*PARTS, ""]), default="", help="Measure only this part.")
def main(only: str) -> None:
    """Measure what durability costs, and draw the page."""
    console = Console()
    for number in SIGNALS:
        signal.signal(number, stop)
    DATA.mkdir(parents=True, exist_ok=True)
    try:
        with locked(DATA):
            failures = run(only, console)
    except StackError as error:
        sys.exit(f"error: {error}")
    finally:
        # Nothing is left by then, unless the stop came in the middle of a start.
        tree.kill(tree.family(os.getpid())[1:])
    if failures:
        sys.exit(1)


def run(only: str, console: Console) -> int:
    """Run the parts, write and print what they found, and return how many have failed.

    What stands for a whole run is one: a part is kept apart.
    """
    began, started = time.monotonic(), datetime.now(UTC)
    found: dict[str, Any] = {"versions": versions(), "started": started, "machine": machine()}
    failures = 0
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        for name, part in {only: PARTS[only]}.items() if only else WHOLE.items():
            bar = Bar(progress, name)
            folder = DATA / name.split()[0]
            try:
                with contextlib.closing(part(folder, bar)) as steps:
                    for fields in steps:
                        found |= {**fields, "versions": {**fields.get("versions", {}), **found["versions"]}}
                        _write(DATA / "part", found, began)
                bar.end("done")
            except FAILURES as error:
                failures += 1
                bar.end("failed")
                progress.console.print(f"[red]{name}: {error}", highlight=False)
                progress.console.print(f"What its servers said is in {folder}", soft_wrap=True)
    folder = DATA / "part" if only or failures else DATA
    results = _write(folder, found, began)
    ratio = against_dbos(latest_peers([DATA / "peers.json", REPOSITORY / "tests" / "peers.json"]))
    (folder / "bench.html").write_text(page.render(results, ratio), encoding="utf-8")
    table.print_summary(results, console, ratio)
    console.print(f"The page: {folder / 'bench.html'}", soft_wrap=True)
    return failures


def _write(folder: Path, found: Mapping[str, Any], began: float) -> Results:
    """Write what was found until now, so that nothing is lost when a later part does not come to its end."""
    results = Results(**{**found, "seconds": round(time.monotonic() - began, 1)})
    results.write(folder / "bench.json")
    return results


if __name__ == "__main__":
    main(prog_name="python -m tests.bench")
