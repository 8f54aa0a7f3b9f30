"""Chaos: eight clients at work while things break at random, then quiet, then the count in the database.

    python -m tests.faultlab.chaos --duration 60 --seed 1 [--twin plain|restate]

It fails, and keeps the whole history, if something was lost, duplicated or stuck that must not be, if the twin does not
work again after the last fault, or if too little succeeded for the run to prove anything.
"""

import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import requests
from rich.console import Console

from tests.faultlab.chaos_report import print_results
from tests.faultlab.chaos_result import Result, find_violations
from tests.faultlab.laboratory import Laboratory
from tests.faultlab.nemesis import OFF_SECONDS, ON_SECONDS, Fault, Nemesis, Report
from tests.faultlab.workload import KINDS, Submitted, Workload
from tests.support.burst import count_effects
from tests.support.history import Outcome, judge
from todo_stack.errors import StackError, StopRequested
from todo_stack.process import Log
from todo_stack.twins import TWINS, Twin, twin_named

LIVENESS_SECONDS = 30.0
"""How long after the last fault is mended an operation of each kind may need to succeed."""
QUIET_SECONDS = 60.0
POLL_SECONDS = 0.1


def run(
    which: Twin,
    data: Path,
    *,
    seconds: float,
    seed: int,
    on: float = ON_SECONDS,
    off: float = OFF_SECONDS,
    log: Log | None = None,
    report: Report = lambda _fault: None,
    stop: threading.Event | None = None,
) -> Result:
    """Run one twin in chaos, and judge.

    Raises:
        StopRequested: `stop` was set meanwhile.
        StackError: a server did not start in the beginning.

    """
    stop = stop or threading.Event()
    with Laboratory(which, data, log, cancelled=stop) as lab:
        workload = Workload(lab.twin, seed, seconds)
        nemesis = Nemesis(lab, seed, stop, on=on, off=off, report=report)
        workload.start()
        try:
            try:
                nemesis.run(seconds)
            finally:
                workload.stop()
            lab.heal()
        except StackError as error:
            return Result(which.key, seed, workload.history, nemesis.faults, Counter(), [f"did not come back: {error}"])
        violations = _liveness(workload, stop)
        violations += _quiet(lab, workload.history, stop)
        count_effects(lab.twin, workload.history)
    history = workload.history
    violations += find_violations(which.key, history, seconds)
    return Result(which.key, seed, history, nemesis.faults, Counter(map(judge, history)), violations)


def _liveness(workload: Workload, stop: threading.Event) -> list[str]:
    """Let an operation of each kind succeed; return what was wrong."""
    violations = []
    until = time.monotonic() + LIVENESS_SECONDS
    client = workload.clients[0]
    with requests.Session() as session:
        for kind in KINDS:
            while client.operate(session, kind, insist=0).outcome is not Outcome.OK:
                if not _time_left(until, stop):
                    violations.append(f"no {kind} succeeded within {LIVENESS_SECONDS:g} s after the last fault")
                    break
    return violations


def _quiet(lab: Laboratory, history: Iterable[Submitted], stop: threading.Event) -> list[str]:
    """Wait until nothing can change any more, and ask what became of the operations that were promised."""
    violations = []
    until = time.monotonic() + QUIET_SECONDS
    for operation in history:
        while operation.outcome is Outcome.PENDING and not _ask(lab, operation):
            if not _time_left(until, stop):
                operation.settled = False
                break
    # What the web has accepted it finishes now, and takes nothing more.
    lab.twin.web.stop()
    while busy := lab.twin.unfinished() or _busy(lab):
        if not _time_left(until, stop):
            break
    if busy:
        violations.append(f"not quiet after {QUIET_SECONDS:g} s: {busy}")
    for operation in history:
        operation.settled = operation.settled and not busy
    return violations


def _ask(lab: Laboratory, operation: Submitted) -> bool:
    """Ask, as its client would, what became of a pending operation; return whether it has an end."""
    try:
        answer = lab.twin.call("GET", f"{lab.twin.url}/api/operations/{operation.operation_id}")
    except requests.RequestException:
        return False
    status = answer.json()["status"]
    if status == "done":
        operation.record(Outcome.OK, "done")
    elif status == "rejected":
        operation.record(Outcome.FAIL, answer.json()["reason"])
    return operation.outcome is not Outcome.PENDING


def _time_left(until: float, stop: threading.Event) -> bool:
    """Pause between two looks; return whether there is time for another."""
    if stop.wait(POLL_SECONDS):
        raise StopRequested
    return time.monotonic() < until


def _busy(lab: Laboratory) -> list[Any]:
    """Return the sessions that are at something in the database."""
    return lab.twin.rows(
        "SELECT pid, state, query FROM pg_stat_activity WHERE application_name = 'todo' AND state <> 'idle'"
    )


@click.command()
@click.option("--duration", default=60.0, show_default=True, help="Seconds of chaos for each twin.")
@click.option("--seed", type=int, help="Decides everything random; without it one is drawn and printed.")
@click.option("--twin", type=click.Choice([twin.key for twin in TWINS]), multiple=True, help="Only this one.")
@click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False, exists=True), help="Where to keep a failed run."
)
def main(duration: float, seed: int | None, twin: tuple[str, ...], data: Path | None) -> None:
    """Break both twins at random for a while, one after the other, and count what became of their operations."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # An event and not an exception: all that waits looks at it, and whatever runs is stopped in order.
        signal.signal(number, lambda _number, _frame: stop.set())
    console = Console(highlight=False)
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    # Always a new one: what an earlier run has left in a database would be counted as effects of this one.
    folder = Path(tempfile.mkdtemp(prefix="chaos-", dir=data))
    console.print(f"seed {seed}, {duration:g} s for each twin")
    results = []
    try:
        for which in [twin_named(key) for key in twin] or TWINS:
            results.append(_one(which, folder, duration, seed, console, stop))
    except StopRequested:
        console.print("stopped", style="bold")
        shutil.rmtree(folder)
        sys.exit(130)
    except StackError as error:
        console.print(f"error: {error}; the output of the servers is in {folder}", style="bold red", markup=False)
        sys.exit(1)
    print_results(console, results)
    violations = [(result, violation) for result in results for violation in result.violations]
    for result, violation in violations:
        console.print(f"{result.twin}: {violation}", style="bold red", markup=False)
    if violations:
        for result in results:
            result.write(folder / f"{result.twin}.jsonl")
        console.print(f"seed {seed}; the whole history and the output of the servers are in {folder}")
        sys.exit(1)
    shutil.rmtree(folder)


def _one(which: Twin, folder: Path, duration: float, seed: int, console: Console, stop: threading.Event) -> Result:
    def report(fault: Fault) -> None:
        console.print(f"{which.key:<8}{fault.at:6.1f} s  {fault.kind}: {fault.target}")

    with (folder / f"{which.key}.log").open("w") as lines:

        def log(server: str, line: str) -> None:
            if not lines.closed:
                # By the clock of the history, so that the two can be laid side by side.
                print(f"{time.monotonic():.3f} {server}: {line}", file=lines, flush=True)

        return run(which, folder / which.key, seconds=duration, seed=seed, log=log, report=report, stop=stop)


if __name__ == "__main__":
    main(prog_name="python -m tests.faultlab.chaos")
