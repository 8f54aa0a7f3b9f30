"""make bench-peers: measures all contestants in one run and writes what it has found."""

import contextlib
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

import click
from rich.console import Console

from tests.costs.command import DATA, RESULTS, line_on, progress_on, stop_in_order
from tests.costs.measure import Advance, MeasurementError
from tests.costs.measure.extra_servers import ExtraServers
from tests.costs.measure.twin_internals import web_setting
from tests.costs.measure.workspace import workspace
from tests.costs.peers import report, speeds
from tests.costs.peers.contestants import FOR_ALL, PEERS, WAITING_THREADS, Contestant, Peer
from tests.costs.peers.records import KillOutcome, PeerCost, PeerCosts
from tests.costs.show import text
from tests.support.burst import adds
from tests.support.control import COMPARED
from tests.support.history import NothingProvedError, Verdict, count
from tests.support.run_environment import started_now
from tests.support.waiting import StillMissingError, until
from todo_stack.errors import StackError
from todo_stack.ports import Ports
from todo_stack.stack import Stack
from todo_stack.twins import PLAIN

FOLDER = DATA / "peers"

BURST = 120
"""Adds, from the eight clients of the fault lab's bursts."""

BUDGET_SECONDS = 2.0
"""The twins' own: then a client is told that its add will be done."""

LATE_SECONDS = 40.0
"""Longer than any of the contestants takes to find what a dead process has left."""


@click.command()
@click.option("--rounds", default=5, show_default=True, help="How often the contestants take turns.")
@click.option(
    "--seconds",
    default=3.0,
    show_default=True,
    help="How long one client adds in each round; many add twice as long, and other loads last half.",
)
@click.option("--kills", default=5, show_default=True, help="How often each writing process is killed.")
def main(rounds: int, seconds: float, kills: int) -> None:
    """Measure the add of both twins and of what a user would pick instead, and what else the ledger alone does."""
    console = Console()
    stop_in_order()
    skipped = {peer.title: reason for peer in PEERS if (reason := peer.missing())}
    for title, reason in skipped.items():
        console.print(f"[yellow]without {title}: {reason}")
    peers = [peer for peer in PEERS if peer.title not in skipped]

    began = time.monotonic()
    try:
        found = started_now()
        measured = measure(peers, rounds, seconds, kills, console)
    except (StackError, MeasurementError, NothingProvedError, StillMissingError) as error:
        sys.exit(f"error: {error}; the servers' log is in {FOLDER}")
    for peer in peers:
        found["versions"] |= peer.versions()
    costs = PeerCosts(
        **found,
        seconds=round(time.monotonic() - began, 1),
        clients=speeds.CLIENTS,
        **{name: int(web_setting(PLAIN, name)) for name in ("web_workers", "web_threads")},
        waiting_threads=WAITING_THREADS,
        **measured,
        skipped=skipped,
    )
    costs.write(FOLDER / RESULTS)
    text.print_all([report.section(costs)], [], console)
    console.print(f"The results: {FOLDER / RESULTS}", soft_wrap=True)


def measure(peers: Sequence[Peer], rounds: int, seconds: float, kills: int, console: Console) -> dict[str, Any]:
    """Return what was found of the contestants, as fields of the record."""
    environment, number = {**os.environ, **FOR_ALL}, len(peers)
    with contextlib.ExitStack() as last_first:
        progress = last_first.enter_context(progress_on(console))
        log = last_first.enter_context(workspace(FOLDER))
        with line_on(progress, "starting", number + 1) as step:
            ports = Ports.free()
            stack = Stack(data=FOLDER / "stack", ports=ports, environment=environment, log=log, with_outside_world=True)
            outside = {"OUTSIDE_WORLD_URL": ports.outside_world_url}
            extra = ExtraServers(last_first.enter_context(stack), log, FOR_ALL | outside)
            step("the twins")
            running = []
            for peer in peers:
                running.append(peer.start(extra))
                step(peer.title)
        with line_on(progress, "adds", number * (1 + rounds)) as step:
            of_adds = speeds.of_adds(running, rounds, seconds, step)
        apps = [one.app for one in running if one.peer.name in {twin.key for twin in COMPARED}]
        with line_on(progress, "delete and pay", len(apps) * len(speeds.OTHER_OPERATIONS) * (1 + rounds)) as step:
            operations = speeds.of_other_operations(apps, rounds, seconds / 2, step)
        with line_on(progress, "kills", number * kills) as step:
            rows = [
                PeerCost(
                    name=one.peer.name,
                    code=one.peer.lines(),
                    components=[server.name for server in one.servers],
                    kills=_kills(one, kills, step),
                    **of_adds[one.peer.name],
                )
                for one in running
            ]
    return {"rows": rows, "operations": operations}


def _kills(contestant: Contestant, times: int, step: Advance) -> KillOutcome:
    """Return what becomes of bursts in whose middle the writing process is killed; no client asks a second time.

    Raises NothingProvedError if not even half of the adds were done exactly once.
    """
    contestant.answer_within(BUDGET_SECONDS)
    burst = adds(contestant, BURST * times)
    for first in range(0, BURST * times, BURST):
        burst.part(first, first + BURST).run(contestant.kill_writer)
        step(contestant.peer.title)
    contestant.settle()
    # What seems to be lost may come late, where the contestant only seemed to be done.
    with contextlib.suppress(StillMissingError):
        until(lambda: Verdict.LOST not in burst.verdicts(), "every add", LATE_SECONDS)
    return KillOutcome(
        kills=times,
        operations=len(burst.operations),
        verdicts=count(burst.operations, minimum_ok=len(burst.operations) // 2),
    )


if __name__ == "__main__":
    main(prog_name="python -m tests.costs.peers")
