"""make chaos: breaks both twins and the control at random for a while, and counts what became of their operations.

    python -m tests.faultlab.chaos --duration 60 --seed 1 [--twin plain|restate|ledger]
    NODES=3 SERVICES=2 WEBS=2 python -m tests.faultlab.chaos    # the Restate twin on a cluster

It fails, and keeps the whole history, if something was lost, duplicated or stuck that must not be, if the twin does not
work again after the last fault, or if too little succeeded for the run to prove anything.
"""

import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import click
from rich.console import Console

from tests.faultlab.chaos.random_faults import ChaosSettings
from tests.faultlab.chaos.result import ChaosResult, print_results
from tests.faultlab.chaos.run import run_chaos
from tests.support.control import COMPARED
from tests.support.logs import log_to
from todo_stack.errors import StackError, StopRequested
from todo_stack.size import ONE, Size
from todo_stack.twins import RESTATE, Twin


@click.command()
@click.option("--duration", default=60.0, show_default=True, help="Seconds of chaos for each twin.")
@click.option("--seed", type=int, help="Decides everything random; without it one is drawn and printed.")
@click.option("--twin", type=click.Choice([twin.key for twin in COMPARED]), multiple=True, help="Only this one.")
@click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False, exists=True), help="Where to keep a failed run."
)
def main(duration: float, seed: int | None, twin: tuple[str, ...], data: Path | None) -> None:
    """Break both twins at random for a while, one after the other, and count what became of their operations."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # An event and not an exception: all that waits looks at it, and whatever runs is stopped in order.
        signal.signal(number, lambda *_signal: stop.set())
    console = Console(highlight=False)
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    # Always a new one: what an earlier run has left in a database would be counted as effects of this one.
    folder = Path(tempfile.mkdtemp(prefix="chaos-", dir=data))
    console.print(f"seed {seed}, {duration:g} s for each twin")
    try:
        size = Size.from_environment(os.environ)
        if size.nodes > 1:
            # A cluster without a second of each other server would only show that those are missing.
            size = Size(size.nodes, max(size.services, 2), max(size.webs, 2))
        wanted = twin or ([RESTATE.key] if size != ONE else [])
        twins = [which for which in COMPARED if not wanted or which.key in wanted]
        results = [run_twin(which, folder, duration, seed, console, stop, size) for which in twins]
    except StopRequested:
        console.print("stopped", style="bold")
        shutil.rmtree(folder)
        sys.exit(130)
    except StackError as error:
        console.print(f"error: {error}; the output of the servers is in {folder}", style="bold red", markup=False)
        sys.exit(1)
    print_results(console, results)
    if any(result.violations for result in results):
        for result in results:
            result.write(folder / f"{result.twin}.jsonl")
        console.print(f"seed {seed}; the whole history and the output of the servers are in {folder}")
        sys.exit(1)
    shutil.rmtree(folder)


def run_twin(
    twin: Twin, folder: Path, seconds: float, seed: int, console: Console, stop: threading.Event, size: Size
) -> ChaosResult:
    """Run chaos for one twin; print each fault, and keep the output of the servers in the folder."""
    settings = ChaosSettings(
        *(seed, seconds),
        size=size,
        report=lambda fault: console.print(f"{twin.key:<8}{fault.at:6.1f} s  {fault}"),
        stop=stop,
    )
    with log_to(folder / f"{twin.key}.log") as log:
        return run_chaos(
            twin,
            settings,
            folder / twin.key,
            # By the clock of the history, so that the two can be laid side by side.
            lambda server, line: log(f"{time.monotonic():.3f} {server}", line),
        )


if __name__ == "__main__":
    main(prog_name="python -m tests.faultlab.chaos")
