"""make compare: runs the whole matrix against both twins and draws the picture."""

import fnmatch
import importlib.metadata
import json
import os
import platform
import random
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import click
import psutil
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tests.lab.matrix.batch import Case
from tests.lab.matrix.faults import FAULTS
from tests.lab.matrix.lanes import Lanes, every_case
from tests.lab.matrix.price import measure
from tests.lab.matrix.seams import SEAMS
from tests.lab.picture import page, table
from tests.lab.picture.results import Cell, Fault, Impossible, Machine, Results, Seam

DATA = Path(__file__).resolve().parents[2] / ".data" / "compare"
PACKAGES = ("restate-sdk", "Flask", "SQLAlchemy", "psycopg2-binary", "gunicorn", "Hypercorn")


class Journal:
    """The cells of a run that are done, kept so that an interrupted run can go on."""

    def __init__(self, path: Path, run: dict[str, object]) -> None:
        """Open the journal; another run's is begun anew."""
        self._path = path
        self.cells: dict[str, Cell] = {}
        lines = path.read_text().splitlines() if path.exists() else []
        self.resumed = bool(lines) and json.loads(lines[0]) == run
        if not self.resumed:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(run) + "\n")
            return
        for line in lines[1:]:
            cell = Cell.model_validate_json(line)
            self.cells[cell.id] = cell

    def add(self, cells: list[Cell]) -> None:
        """Write these cells down."""
        with self._path.open("a") as file:
            for cell in cells:
                self.cells[cell.id] = cell
                file.write(cell.model_dump_json() + "\n")

    def finish(self) -> None:
        """Forget the run: the next begins anew."""
        self._path.unlink()


def selected(only: str) -> list[Case]:
    """Return the cells that a pattern names: twin/operation/seam/fault/client, each with * and ?, the last may lack.

    Raises:
        click.BadParameter: it names none.

    """
    pattern = only.rstrip("/")
    missing = 4 - pattern.count("/")
    if pattern and missing:
        pattern += "/*" * missing
    found = [case for case in every_case() if not pattern or fnmatch.fnmatchcase(case.id, pattern)]
    if not found:
        names = sorted({case.fault.name for case in every_case()})
        raise click.BadParameter(f"{only!r} names no cell; faults are {', '.join(names)}")
    return found


def versions() -> dict[str, str]:
    """Return the versions of what was compared."""
    lock = json.loads((DATA.parents[1] / "flask-todo-restate" / "package-lock.json").read_text())
    server = lock["packages"]["node_modules/@restatedev/restate-server"]["version"]
    packages = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"Restate": server, "Python": platform.python_version(), **packages}


def machine() -> Machine:
    """Return what this runs on."""
    memory = psutil.virtual_memory().total / 2**30
    return Machine(
        cores=os.cpu_count() or 1, memory_gib=round(memory, 1), system=f"{platform.system()} {platform.machine()}"
    )


def impossible() -> list[Impossible]:
    """Return the cells that make no sense, with their reasons."""
    return [
        Impossible(twin=seam.twin, seam=seam.name, fault=fault.name, because=because)
        for twin, seams in SEAMS.items()
        for seam in seams
        for fault in FAULTS[twin]
        if (because := fault.impossible(seam))
    ]


@click.command()
@click.option("--only", default="", help="Only these cells: twin/operation/seam/fault/client, with * and ?.")
@click.option("--seed", type=int, help="Decides the order; a random one by default.")
@click.option("--fresh", is_flag=True, help="Begin anew even if a run was interrupted.")
def main(only: str, seed: int | None, fresh: bool) -> None:
    """Run the matrix and draw the picture."""
    console = Console()
    wanted = selected(only)
    # A part is kept apart: it must not replace a whole run, nor one that was interrupted.
    folder = DATA / "part" if only else DATA
    path = folder / "cells.jsonl"
    if fresh:
        path.unlink(missing_ok=True)
    elif seed is None and path.exists():
        # An interrupted run goes on with the seed that it had.
        seed = json.loads(path.read_text().partition("\n")[0])["seed"]
    seed = random.randrange(2**32) if seed is None else seed
    journal = Journal(path, {"only": only, "seed": seed})
    left = [case for case in wanted if case.id not in journal.cells]
    console.print(f"{len(wanted)} cells, seed {seed}" + (f", {len(left)} left" if journal.resumed else ""))

    began, started = time.monotonic(), datetime.now(UTC)
    failures: list[str] = []
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        bars = {twin: progress.add_task(twin, total=sum(case.seam.twin == twin for case in left)) for twin in SEAMS}

        def done(cells: list[Cell]) -> None:
            journal.add(cells)
            progress.advance(bars[cells[0].twin], len(cells))
            for cell in cells:
                if not cell.as_expected:
                    progress.console.print(f"[red]{cell.id}: {cell.verdict.value}, expected {cell.expected.value}")

        def failed(cases: list[Case], error: Exception) -> None:
            failures.append(f"{cases[0].fault.name}, {len(cases)} cells: {error}")
            progress.console.print(f"[red]{failures[-1]}")

        lanes = Lanes(folder, seed, done, failed)

        def stop(_number: int, _frame: FrameType | None) -> None:
            progress.console.print("stopping after the running batches; the same command goes on from there")
            lanes.stop()

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)
        lanes.run(left)
    if failures:
        sys.exit(f"{len(failures)} batches failed; the same command tries them again")
    if len(journal.cells) < len(wanted):
        sys.exit(130)

    price, postgres = measure(folder / "price")
    results = Results(
        seed=seed,
        started=started,
        seconds=round(time.monotonic() - began, 1),
        machine=machine(),
        versions={"PostgreSQL": postgres, **versions()},
        price=price,
        seams=[Seam(twin=s.twin, name=s.name, link=s.link, explains=s.explains) for t in SEAMS.values() for s in t],
        faults=[
            Fault(name=name, explains=how)
            for name, how in {f.name: f.how.value for t in FAULTS.values() for f in t}.items()
        ],
        cells=[journal.cells[case.id] for case in wanted],
        impossible=impossible(),
    )
    results.write(folder / "results.json")
    (folder / "compare.html").write_text(page.render(results), encoding="utf-8")
    journal.finish()
    table.print_summary(results, console)
    console.print(f"The picture: {folder / 'compare.html'}")
    if results.unexpected:
        sys.exit(1)


if __name__ == "__main__":
    main()
