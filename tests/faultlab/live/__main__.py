"""make lab: both twins live, side by side, on a page on which each process and each message can be broken."""

import contextlib
import os
import secrets
import signal
import socket
import sys
import threading
from pathlib import Path

import click
from rich.console import Console

from tests.faultlab.live.lab import LOOK_SECONDS, Lab
from tests.faultlab.live.watchdog import kill_leftovers, watched
from tests.faultlab.live.web import served
from tests.support.logs import log_to
from todo_stack import data_folder
from todo_stack.errors import StackError, StopRequested
from todo_stack.paths import DATA
from todo_stack.ports import HOST
from todo_stack.twins import TWINS
from todo_stack.unprivileged import remove

PORT = 5070
SIGNAL_SECONDS = 0.5


@click.command()
@click.option("--port", default=PORT, envvar="LAB_PORT", show_default=True, help="Where the page is.")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), default=DATA / "lab", show_default=True)
@click.option("--look", default=LOOK_SECONDS, show_default=True, help="Seconds for which a story shows what it holds.")
def main(port: int, data: Path, look: float) -> None:
    """Start both twins with a proxy on each link, and a page that breaks them, until Ctrl-C."""
    console = Console(highlight=False)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_signal: stop.set())
    token = os.environ.get("LAB_TOKEN") or secrets.token_urlsafe(24)
    data.mkdir(parents=True, exist_ok=True)
    try:
        with contextlib.ExitStack() as last_first:
            last_first.enter_context(data_folder.locked(data))
            log = last_first.enter_context(log_to(data / "servers.log"))
            listener = last_first.enter_context(listening(port))
            for twin in TWINS:
                remove_data(data / twin.key)
            last_first.enter_context(watched(data))
            console.print("starting both twins and everything between them")
            lab = last_first.enter_context(Lab(data, log, look, stop))
            last_first.enter_context(served(lab, token, listener))
            console.print(f"\n    http://{HOST}:{port}/?token={token}\n", style="bold", soft_wrap=True)
            console.print("Ctrl-C ends everything.")
            # A signal may come to another thread: then this one, which alone handles it, learns of it when it wakes.
            while not stop.wait(SIGNAL_SECONDS):
                pass
    except StopRequested:
        pass
    except (StackError, OSError) as error:
        console.print(f"error: {error}", style="bold red", markup=False)
        sys.exit(1)
    console.print("stopped", style="bold")


def listening(port: int) -> socket.socket:
    """Return a socket that listens on this port; raise StackError if it cannot be had."""
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        raise StackError(f"port {port} (LAB_PORT): {error.strerror}: end what has it, or set LAB_PORT") from error


def remove_data(data: Path) -> None:
    """Remove what an earlier lab has left, whose todos would be counted; also its servers, if it was killed."""
    if not data.exists():
        return
    data_folder.check_ours(data)
    kill_leftovers(data)
    if not remove(data):
        raise StackError(f"{data} cannot be removed")


if __name__ == "__main__":
    main(prog_name="python -m tests.faultlab.live")
