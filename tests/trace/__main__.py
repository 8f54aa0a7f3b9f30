"""make trace: starts both twins, follows an add that is killed after COMMIT, and draws its spans as a page."""

import signal
import sys
import threading
from pathlib import Path

import click
from rich.console import Console

from tests.faultlab.live.__main__ import remove_data
from tests.support.logs import log_to
from tests.trace.followed import follow_both
from tests.trace.picture.page import render
from todo_stack import data_folder
from todo_stack.errors import StackError, StopRequested
from todo_stack.files import write_whole
from todo_stack.paths import DATA
from todo_stack.twins import TWINS


@click.command()
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), default=DATA / "trace", show_default=True)
def main(data: Path) -> None:
    """Follow an add in each twin, and draw what its spans tell."""
    console = Console(highlight=False)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # An event and not an exception: all that waits looks at it, and whatever runs is stopped in order.
        signal.signal(number, lambda *_signal: stop.set())
    data.mkdir(parents=True, exist_ok=True)
    try:
        with data_folder.locked(data), log_to(data / "servers.log") as log:
            for twin in TWINS:
                remove_data(data / twin.key)
            console.print("starting both twins, and killing each after COMMIT")
            both = follow_both(data, log, stop)
    except StopRequested:
        console.print("stopped", style="bold")
        sys.exit(130)
    except (StackError, OSError, AssertionError, TimeoutError) as error:
        console.print(f"error: {error}; the output of the servers is in {data}", style="bold red", markup=False)
        sys.exit(1)
    drawn = data / "index.html"
    write_whole(drawn, render(both).encode())
    for followed in both:
        console.print(f"{followed.twin.title:<20}{len(followed.spans):>3} spans, {followed.verdict.value}")
    console.print(f"\n    {drawn.resolve()}\n", style="bold", soft_wrap=True)


if __name__ == "__main__":
    main(prog_name="python -m tests.trace")
