"""make fuzz: random requests to both twins, and their lives with deaths; counts what they answered.

    python -m tests.fuzz --requests 100000 --seed 1 [--twin plain|restate] [--lives 20]

It fails, and keeps the output of the servers, if a healthy twin answers with a server error or logs a traceback, if it
answers otherwise than described or than the other twin, or if a life went wrong.
"""

import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click
from rich.console import Console

from tests.fuzz.described import ask_as_described
from tests.fuzz.life import LivingTwin, live
from tests.fuzz.same import ask_both
from tests.fuzz.tally import Tally
from tests.fuzz.wire import ask_by_wire
from tests.support.logs import log_to
from tests.support.running_twin import RunningTwin
from todo_stack.errors import StackError, StopRequested
from todo_stack.ports import Ports
from todo_stack.stack import Stack
from todo_stack.twins import TWINS, twin_named

SHARE = 50
"""One in so many requests is drawn for each kind that Hypothesis makes: it takes ten times as long as drawing bytes."""
MOST_SHOWN = 20
COUNT = click.IntRange(min=0)


class Fuzz:
    """A run: what was sent, and what was wrong."""

    def __init__(self, twins: Sequence[RunningTwin], number: int, seed: int, console: Console) -> None:
        self.twins, self.number, self.seed, self.console = twins, number, seed, console
        self.tallies: dict[str, list[Tally]] = {twin.which.title: [] for twin in twins}
        self.wrong: list[str] = []

    def ask(self) -> None:
        """Send the requests."""
        share = max(1, self.number // SHARE)
        for twin in self.twins:
            tally = self._tally(twin, "described")
            self._part(f"{twin.which.title}, described", ask_as_described, twin, share, tally, self.seed)
        tallies = [self._tally(twin, "same in both") for twin in self.twins]
        self._part("same in both", ask_both, self.twins, share, tallies, self.seed)
        over = threading.Event()
        with ThreadPoolExecutor(len(self.twins)) as threads:
            try:
                list(threads.map(lambda twin: self._ask_by_wire(twin, over), self.twins))
            finally:
                over.set()

    def _ask_by_wire(self, twin: RunningTwin, over: threading.Event) -> None:
        left = self.number - sum(tally.sent for tally in self.tallies[twin.which.title])
        tally = self._tally(twin, "bytes")
        self._part(f"{twin.which.title}, bytes", ask_by_wire, twin, left, tally, self.seed, over)

    def live(self, lives: int) -> None:
        """Let the twins live, with deaths."""
        for twin in self.twins:
            living = LivingTwin(twin)
            self._part(f"{twin.which.title}, lives", live, living, lives, self.seed)
            self.console.print(f"{twin.which.title}: {lives} lives, {living.writes} writes, {living.deaths} deaths")

    def report(self) -> None:
        """Print the counts, and what was wrong."""
        for title, tallies in self.tallies.items():
            whole = Tally("all")
            for tally in tallies:
                whole.sent += tally.sent
                whole.statuses.update(tally.statuses)
                self.wrong += [f"{title}: {tally.generator}: {wrong}" for wrong in tally.wrong]
            if whole.sent < self.number:
                self.wrong.append(f"{title}: only {whole.sent:,} requests were sent")
            self.console.print(title, style="bold")
            for tally in (*tallies, whole):
                self.console.print(f"  {tally}", markup=False)
        for wrong in self.wrong[:MOST_SHOWN]:
            self.console.print(wrong, style="red", markup=False)
        if len(self.wrong) > MOST_SHOWN:
            self.console.print(f"and {len(self.wrong) - MOST_SHOWN:,} more", style="red")

    def _tally(self, twin: RunningTwin, generator: str) -> Tally:
        tally = Tally(generator)
        self.tallies[twin.which.title].append(tally)
        return tally

    def _part(self, name: str, part: Callable[..., None], *arguments: object) -> None:
        """Do a part; what it finds is kept, and the next part goes on."""
        began = time.monotonic()
        try:
            part(*arguments)
            self.console.print(f"{name}: {time.monotonic() - began:.0f} s", style="dim")
        except (StackError, StopRequested):
            raise
        # Hypothesis and Schemathesis raise groups of what they have found.
        except (Exception, BaseExceptionGroup) as error:
            self.wrong.append("\n".join([f"{name}: {error}", *getattr(error, "__notes__", ())]))


@click.command()
@click.option(
    "--requests",
    "number",
    default=100_000,
    type=COUNT,
    show_default=True,
    help="To each twin, while nothing is broken.",
)
@click.option(
    "--lives",
    default=20,
    type=COUNT,
    show_default=True,
    help="Of each twin, with deaths of its servers.",
)
@click.option("--seed", type=int, help="Decides everything random; without it one is drawn and printed.")
@click.option("--twin", type=click.Choice([twin.key for twin in TWINS]), multiple=True, help="Only this one.")
def main(number: int, lives: int, seed: int | None, twin: tuple[str, ...]) -> None:
    """Send random requests to both twins, let servers die between others, and count what was answered."""
    for received in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(received, _stop)
    console = Console(highlight=False, soft_wrap=True)
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    console.print(f"seed {seed}, {number:,} requests and {lives} lives for each twin")
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    which = [twin_named(key) for key in twin] or TWINS
    try:
        with log_to(folder / "servers.log") as log:
            # Without the lines of each request, and of each that could not be read.
            quiet = {each.title: {"LOG_LEVEL": "error"} for each in which}
            with Stack(which, data=folder / "data", ports=Ports.free(), log=log, overrides=quiet) as stack:
                fuzz = Fuzz([RunningTwin(each, stack) for each in which], number, seed, console)
                fuzz.ask()
                if tracebacks := (folder / "servers.log").read_text().count("Traceback"):
                    fuzz.wrong.append(f"{tracebacks:,} tracebacks in the log")
                if lives:
                    fuzz.live(lives)
    except (KeyboardInterrupt, StopRequested):
        console.print("stopped", style="bold")
        shutil.rmtree(folder)
        sys.exit(130)
    except StackError as error:
        console.print(f"error: {error}; the output of the servers is in {folder}", style="bold red", markup=False)
        sys.exit(1)
    fuzz.report()
    if fuzz.wrong:
        console.print(f"seed {seed}; the output of the servers is in {folder}")
        sys.exit(1)
    shutil.rmtree(folder)


def _stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    # Not an Exception, which Hypothesis would take for something that it has found.
    raise KeyboardInterrupt


if __name__ == "__main__":
    main(prog_name="python -m tests.fuzz")
