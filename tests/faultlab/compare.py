"""make compare: runs the whole matrix against both twins and draws the picture."""

import fnmatch
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from tests.faultlab import published
from tests.faultlab.matrix.cases import Case, every_case
from tests.faultlab.matrix.faults import FAULTS
from tests.faultlab.matrix.records import Cell, Journal, MatrixRun, latest
from tests.faultlab.matrix.runner import MatrixRunner
from tests.faultlab.picture import page
from tests.faultlab.picture.console import print_run
from tests.faultlab.published import LAST_RUN
from tests.support.run_environment import started_now
from todo_stack.data_folder import locked
from todo_stack.errors import StackError

JOURNAL = "cells.jsonl"


def selected(only: str) -> list[Case]:
    """Return the cells that a pattern names: twin/operation/seam/fault/client, with * and ?, the last parts if any."""
    pattern = only.rstrip("/") or "*"
    pattern += "/*" * (4 - pattern.count("/"))
    found = [case for case in every_case() if fnmatch.fnmatchcase(case.id, pattern)]
    if not found:
        raise click.BadParameter(f"{only!r} names no cell; faults are {', '.join(fault.name for fault in FAULTS)}")
    return found


def try_cells(cases: Sequence[Case], journal: Journal, folder: Path, console: Console) -> int:
    """Try these cells and write them down, until all are tried or a signal comes; return how many batches failed."""
    failures = 0
    with Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=console) as progress:
        totals = Counter(case.seam.twin for case in cases)
        bars = {twin.key: progress.add_task(twin.title, total=total) for twin, total in totals.items()}

        def done(cells: list[Cell]) -> None:
            journal.add(cells)
            progress.advance(bars[cells[0].twin], len(cells))
            for cell in cells:
                if not cell.as_expected:
                    progress.console.print(f"[red]{cell.id}: {cell.comparison}")

        def failed(batch: list[Case], error: Exception) -> None:
            nonlocal failures
            failures += 1
            progress.console.print(f"[red]{batch[0].fault.name}, {len(batch)} cells: {error}")

        runner = MatrixRunner(folder, journal.seed, done, failed)

        def stop(*_signal: object) -> None:
            progress.console.print("stopping after the running batches; the same command goes on from there")
            runner.stopped.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
        runner.run(cases)
    return failures


def show(run: MatrixRun, folder: Path, console: Console) -> None:
    """Print what the run has found, and draw its page."""
    print_run(run, console)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "compare.html").write_text(page.render(run), encoding="utf-8")
    console.print(f"The picture: {folder / 'compare.html'}", soft_wrap=True)


def run_cells(wanted: Sequence[Case], only: str, seed: int | None, fresh: bool, folder: Path, console: Console) -> None:
    """Try the cells that are left of the last run, or all of them, and show the run. Exit unless all is well."""
    if fresh:
        (folder / JOURNAL).unlink(missing_ok=True)
    began, beginning = time.monotonic(), started_now()
    journal = Journal(folder / JOURNAL, only, seed, beginning["write_path"])
    left = [case for case in wanted if case.id not in journal.cells]
    console.print(f"{len(wanted)} cells, seed {journal.seed}" + (f", {len(left)} left" if journal.resumed else ""))
    if failures := try_cells(left, journal, folder, console):
        sys.exit(f"{failures} batches failed; the same command tries them again")
    if len(journal.cells) < len(wanted):
        sys.exit(130)
    cells = [journal.cells[case.id] for case in wanted]
    seconds = round(time.monotonic() - began, 1)
    run = MatrixRun(**beginning, seconds=seconds, seed=journal.seed, cells=cells, late=latest(cells))
    run.write(folder / LAST_RUN.name)
    journal.finish()
    show(run, folder, console)
    if run.unexpected:
        sys.exit(1)


@click.command()
@click.option("--only", default="", help="Only these cells: twin/operation/seam/fault/client, with * and ?.")
@click.option("--seed", type=int, help="Decides the order; a random one by default.")
@click.option("--fresh", is_flag=True, help="Begin anew even if a run was interrupted.")
@click.option("--again", is_flag=True, help="Run nothing: show the last whole run again, or else the published one.")
def main(only: str, seed: int | None, fresh: bool, again: bool) -> None:
    """Run the matrix and draw the picture."""
    console = Console()
    if again:
        show(MatrixRun.read(LAST_RUN) if LAST_RUN.exists() else published.read(), LAST_RUN.parent, console)
        return
    wanted = selected(only)
    # A part is kept apart: it must not replace a whole run, nor one that was interrupted.
    folder = LAST_RUN.parent / "part" if only else LAST_RUN.parent
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with locked(folder):
            run_cells(wanted, only, seed, fresh, folder, console)
    except StackError as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main()
