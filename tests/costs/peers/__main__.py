"""make bench-peers: measures all contestants in one run and writes what it has found."""

import contextlib
import os
import sys
import time
from collections.abc import Sequence

import click
from rich.console import Console

from tests.costs.command import DATA, RESULTS, line_on, progress_on, started_now, stop_in_order
from tests.costs.measure import MeasurementError
from tests.costs.measure.extra_servers import ExtraServers
from tests.costs.measure.twin_internals import web_setting
from tests.costs.measure.workspace import workspace
from tests.costs.peers import report, speed_and_kills
from tests.costs.peers.contestant import FOR_ALL, WAITING_THREADS, Peer
from tests.costs.peers.contestants import PEERS
from tests.costs.peers.records import About, PeerCost, PeerCosts
from tests.costs.show import console as terminal
from tests.support.history import NothingProvedError
from tests.support.waiting import StillMissingError
from todo_stack.errors import StackError
from todo_stack.ports import Ports
from todo_stack.stack import Stack
from todo_stack.twins import PLAIN

FOLDER = DATA / "peers"


@click.command()
@click.option("--rounds", default=3, show_default=True, help="How often the contestants take turns.")
@click.option("--seconds", default=3.0, show_default=True, help="How long each load lasts, two in a round.")
@click.option("--kills", default=5, show_default=True, help="How often each writing process is killed.")
def main(rounds: int, seconds: float, kills: int) -> None:
    """Measure the add of both twins and of what a user would pick instead."""
    console = Console()
    stop_in_order()
    skipped = {peer.title: reason for peer in PEERS if (reason := peer.missing())}
    for title, reason in skipped.items():
        console.print(f"[yellow]without {title}: {reason}")
    peers = [peer for peer in PEERS if peer.title not in skipped]

    began = time.monotonic()
    try:
        found = started_now()
        rows = measure(peers, rounds, seconds, kills, console)
    except (StackError, MeasurementError, NothingProvedError, StillMissingError) as error:
        sys.exit(f"error: {error}; the servers' log is in {FOLDER}")
    for peer in peers:
        found["versions"] |= peer.versions()
    costs = PeerCosts(
        **found,
        seconds=round(time.monotonic() - began, 1),
        clients=speed_and_kills.CLIENTS,
        **{name: web_setting(PLAIN, name) for name in ("web_workers", "web_threads")},
        waiting_threads=WAITING_THREADS,
        rows=rows,
        skipped=skipped,
    )
    costs.write(FOLDER / RESULTS)
    terminal.show([report.section(costs)], [], console)
    console.print(f"The results: {FOLDER / RESULTS}", soft_wrap=True)


def measure(peers: Sequence[Peer], rounds: int, seconds: float, kills: int, console: Console) -> list[PeerCost]:
    """Return what was found of each contestant."""
    environment, number = {**os.environ, **FOR_ALL}, len(peers)
    with contextlib.ExitStack() as last_first:
        progress = last_first.enter_context(progress_on(console))
        log = last_first.enter_context(workspace(FOLDER))
        with line_on(progress, "starting", number + 1) as step:
            stack = Stack(data=FOLDER / "stack", ports=Ports.free(), environment=environment, log=log)
            extra = ExtraServers(last_first.enter_context(stack), log, FOR_ALL)
            step("the twins")
            running = []
            for peer in peers:
                running.append(peer.start(extra))
                step(peer.title)
        with line_on(progress, "load", number * (1 + rounds)) as step:
            speeds = speed_and_kills.speeds(running, rounds, seconds, step)
        with line_on(progress, "kills", number * kills) as step:
            return [
                PeerCost(
                    **peer.model_dump(include=set(About.model_fields)),
                    code=peer.lines(),
                    components=[server.name for server in one.servers],
                    kills=speed_and_kills.kills(one, kills, step),
                    **speeds[peer.name],
                )
                for peer, one in zip(peers, running, strict=True)
            ]


if __name__ == "__main__":
    main(prog_name="python -m tests.costs.peers")
