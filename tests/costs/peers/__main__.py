"""make bench-peers: measures all contestants in one run and writes what it has found."""

import contextlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import click
from rich.console import Console

from tests.costs.command import DATA, RESULTS, ProgressLine, progress_on, stop_in_order
from tests.costs.measure import MeasurementError
from tests.costs.measure.extra_servers import ExtraServers
from tests.costs.measure.twin_internals import PACKAGES, web_settings
from tests.costs.measure.usage import postgres_version
from tests.costs.measure.workspace import workspace
from tests.costs.peers import report, speed_and_kills, twins
from tests.costs.peers.celery_peer import running as celery_peer
from tests.costs.peers.contestant import FOR_ALL, WAITING_THREADS, Contestant, Peer
from tests.costs.peers.dbos_peer import running as dbos_peer
from tests.costs.peers.outbox_peer import running as outbox_peer
from tests.costs.peers.records import PeerCost, PeerCosts
from tests.costs.peers.temporal_peer import running as temporal_peer
from tests.costs.show import console as terminal
from tests.costs.source import write_path
from tests.support.history import NothingProvedError
from tests.support.run_environment import machine, versions
from todo_stack.errors import StackError
from todo_stack.ports import Ports
from todo_stack.stack import Stack
from todo_stack.twins import PLAIN

PEERS: Sequence[Peer] = (
    twins.PLAIN_TWIN,
    twins.RESTATE_TWIN,
    dbos_peer.PEER,
    celery_peer.PEER,
    temporal_peer.PEER,
    outbox_peer.PEER,
)
FOLDER = DATA / "peers"


@contextlib.contextmanager
def contestants(peers: Sequence[Peer], say: Callable[[str], None]) -> Iterator[tuple[list[Contestant], ExtraServers]]:
    """Start the twins and these peers, and stop everything at the end, however it comes."""
    with contextlib.ExitStack() as last_first:
        log = last_first.enter_context(workspace(FOLDER))
        environment = {**os.environ, **FOR_ALL}
        stack = Stack(data=FOLDER / "stack", ports=Ports.free(), environment=environment, log=log)
        last_first.enter_context(stack)
        say("the twins")
        extra = last_first.enter_context(ExtraServers(stack, FOLDER / "extra", log, FOR_ALL))
        running = []
        for peer in peers:
            running.append(peer.start(extra))
            say(peer.about.title)
        yield running, extra


@click.command()
@click.option("--rounds", default=3, show_default=True, help="How often the contestants take turns.")
@click.option("--seconds", default=3.0, show_default=True, help="How long each load lasts, two in a round.")
@click.option("--kills", default=5, show_default=True, help="How often each writing process is killed.")
def main(rounds: int, seconds: float, kills: int) -> None:
    """Measure the add of both twins and of what a user would pick instead."""
    console = Console()
    stop_in_order()
    skipped = {peer.about.title: reason for peer in PEERS if (reason := peer.missing())}
    for title, reason in skipped.items():
        console.print(f"[yellow]without {title}: {reason}")
    peers = [peer for peer in PEERS if peer.about.title not in skipped]

    began, started = time.monotonic(), datetime.now(UTC)
    try:
        rows, postgres = measured(peers, rounds, seconds, kills, console)
    except (StackError, MeasurementError, NothingProvedError) as error:
        sys.exit(f"error: {error}; the servers' log is in {FOLDER}")
    web = web_settings("plain").model_fields
    costs = PeerCosts(
        started=started,
        seconds=round(time.monotonic() - began, 1),
        machine=machine(),
        versions={"PostgreSQL": postgres, **versions(PACKAGES), **versions_of_peers()},
        write_path=write_path(),
        clients=speed_and_kills.CLIENTS,
        **{name: os.environ.get(name.upper(), web[name].default) for name in ("web_workers", "web_threads")},
        waiting_threads=WAITING_THREADS,
        rows=rows,
        skipped=skipped,
    )
    costs.write(FOLDER / RESULTS)
    terminal.show([report.section(costs)], [], console)
    console.print(f"The results: {FOLDER / RESULTS}", soft_wrap=True)


def measured(
    peers: Sequence[Peer], rounds: int, seconds: float, kills: int, console: Console
) -> tuple[list[PeerCost], str]:
    """Return what was found of each contestant, and the version of PostgreSQL."""
    number = len(peers)
    with progress_on(console) as progress:
        starting = ProgressLine(progress, "starting", number + 1)
        with contestants(peers, starting.step) as (running, extra):
            loading = ProgressLine(progress, "load", number * (1 + rounds))
            speeds = speed_and_kills.speeds(running, rounds, seconds, loading)
            killing = ProgressLine(progress, "kills", number * kills)
            rows = []
            for peer, one in zip(peers, running, strict=True):
                survived = speed_and_kills.kills(one, kills, killing)
                # What was killed has come again under another number.
                extra.remember()
                rows.append(
                    PeerCost(
                        **peer.about.model_dump(),
                        code={part.path: part.lines for part in peer.code},
                        components=[server.name for server in one.components],
                        kills=survived,
                        **speeds[one.name],
                    )
                )
            return rows, postgres_version(extra.stack.database_url(PLAIN))


def versions_of_peers() -> dict[str, str]:
    """Return the versions of the peers' packages and programs."""
    found = {}
    for name, package in {"DBOS": "dbos", "Celery": "celery", "Temporal SDK": "temporalio"}.items():
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(package)
    programs = {"Redis": (celery_peer.PEER, r"v=([\d.]+)"), "Temporal": (temporal_peer.PEER, r"Server ([\d.]+)")}
    for name, (peer, pattern) in programs.items():
        if path := shutil.which(peer.program):
            said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
            if version := re.search(pattern, said):
                found[name] = version.group(1)
    return found


if __name__ == "__main__":
    main(prog_name="python -m tests.costs.peers")
