"""make bench: measures both twins and draws the page."""

import contextlib
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from tests.costs import report
from tests.costs.command import COSTS, DATA, PEER_COSTS, RESULTS, line_on, progress_on, stop_in_order
from tests.costs.measure import MeasurementError
from tests.costs.measure.all_parts import PARTS, WHOLE
from tests.costs.peers.records import PeerCosts
from tests.costs.records import Costs
from tests.costs.sections import sections
from tests.costs.show import page, text
from tests.support.run_environment import started_now
from tests.support.waiting import StillMissingError
from todo_stack import tree
from todo_stack.data_folder import locked
from todo_stack.errors import StackError

PAGE = "bench.html"


@click.command()
@click.option("--only", type=click.Choice([*PARTS, ""]), default="", help="Measure only this part.")
@click.option("--again", type=click.Path(exists=True, path_type=Path), help="Measure nothing: show this run again.")
@click.option("--keep", is_flag=True, help="Measure nothing: keep the latest runs for the READMEs (make readme).")
def main(only: str, again: Path | None, keep: bool) -> None:
    """Measure what durability costs, and draw the page."""
    console = Console()
    if again:
        show(Costs.read(again), console, again.with_name(PAGE))
        return
    if keep:
        for kind, new, kept in ((Costs, DATA / RESULTS, COSTS), (PeerCosts, DATA / "peers" / RESULTS, PEER_COSTS)):
            if latest := kind.latest([new, kept]):
                latest.write(kept)
        return
    stop_in_order()
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
    began = time.monotonic()
    found = started_now()
    failures = 0
    with progress_on(console) as progress:
        for name, part in {only: PARTS[only]}.items() if only else WHOLE.items():
            folder = DATA / name.split()[0]
            try:
                with line_on(progress, name) as step, contextlib.closing(part(folder, step)) as findings:
                    for fields in findings:
                        found |= fields
                        # At once, so that nothing is lost when a later part does not come to its end.
                        _write(DATA / "part", found, began)
            except (StackError, MeasurementError, StillMissingError) as error:
                failures += 1
                progress.console.print(f"[red]{name}: {error}", highlight=False)
                progress.console.print(f"What its servers said is in {folder}", soft_wrap=True)
    folder = DATA / "part" if only or failures else DATA
    show(_write(folder, found, began), console, folder / PAGE)
    return failures


def show(costs: Costs, console: Console, path: Path) -> None:
    """Draw the page and print the same, with the latest run of the peers beside it."""
    found = sections(costs, PeerCosts.latest([DATA / "peers" / RESULTS, PEER_COSTS]))
    answer = report.answer(costs)
    path.write_text(page.render("What durability costs", answer, found, report.facts(costs)), encoding="utf-8")
    # The peers have a command of their own.
    text.print_all([one for one in found if one.key != "peers"], answer, console)
    console.print(f"The page: {path}", soft_wrap=True)


def _write(folder: Path, found: Mapping[str, Any], began: float) -> Costs:
    costs = Costs(**{**found, "seconds": round(time.monotonic() - began, 1)})
    costs.write(folder / RESULTS)
    return costs


if __name__ == "__main__":
    main(prog_name="python -m tests.costs")
