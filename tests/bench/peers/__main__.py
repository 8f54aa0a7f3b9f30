"""make bench-peers: measures all contestants in one run and writes what it has found."""

import contextlib
import importlib.metadata
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType, ModuleType

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.bench.load import LoadError
from tests.bench.peers import measure, table, twins
from tests.bench.peers.celery_peer import running as celery_peer
from tests.bench.peers.contestant import Contestant
from tests.bench.peers.dbos_peer import running as dbos_peer
from tests.bench.peers.lines import total
from tests.bench.peers.outbox_peer import running as outbox_peer
from tests.bench.peers.place import ENVIRONMENT, WAITING_THREADS, Place
from tests.bench.peers.results import Kills, Results, Row
from tests.bench.peers.temporal_peer import running as temporal_peer
from tests.lab.compare import machine, versions
from tests.lab.history import NothingProvedError
from todo_shared.settings import Settings
from todo_stack.applications import REPOSITORY
from todo_stack.errors import StackError
from todo_stack.leftovers import Leftovers
from todo_stack.lock import locked
from todo_stack.ports import Ports
from todo_stack.stack import Stack

DATA = REPOSITORY / ".data" / "bench"
PEERS: Sequence[ModuleType] = (dbos_peer, celery_peer, temporal_peer, outbox_peer)


class Stopped(SystemExit):
    """Somebody asked to stop."""


def stop(number: int, _frame: FrameType | None) -> None:
    """End what runs, as an exception in it; whatever comes after that must not disturb the clean-up."""
    for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(other, signal.SIG_IGN)
    raise Stopped(128 + number)


@contextlib.contextmanager
def fresh_folder() -> Iterator[Path]:
    """Hold the folder of the runs, emptied; what an earlier run has left running in it is ended."""
    folder = DATA / "peers"
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        for leftovers in (folder / "processes.json", folder / "stack" / "processes.json"):
            Leftovers(leftovers).kill()
        for old in folder.iterdir():
            if old.is_dir():
                shutil.rmtree(old)
            elif old.name != "lock":
                old.unlink()
        yield folder


@contextlib.contextmanager
def contestants(peers: Sequence[ModuleType], say: Callable[[str], None]) -> Iterator[tuple[list[Contestant], Place]]:
    """Start the twins and these peers, and stop everything at the end, however it comes."""
    with contextlib.ExitStack() as last_first:
        folder = last_first.enter_context(fresh_folder())
        file = last_first.enter_context((folder / "servers.log").open("w"))

        def log(name: str, line: str) -> None:
            if not file.closed:
                print(f"{name}: {line}", file=file, flush=True)

        environment = {**os.environ, **ENVIRONMENT}
        stack = Stack(data=folder / "stack", ports=Ports.free(), environment=environment, log=log)
        last_first.callback(stack.stop)
        say("the twins")
        stack.start()
        place = Place(stack, folder, log, threading.Event())
        last_first.callback(place.stop)
        running = [twins.plain(stack), twins.restate(stack)]
        for peer in peers:
            say(peer.ABOUT.title)
            running.append(peer.start(place))
        yield running, place


def missing(peer: ModuleType) -> str:
    """Return what a peer needs and does not find here."""
    return "; ".join(filter(None, (look() for look in peer.NEEDS)))


def all_versions(contestant: Contestant) -> dict[str, str]:
    """Return the versions of what was measured."""
    found = {"PostgreSQL": contestant.rows("SHOW server_version")[0][0].split()[0], **versions()}
    for name, package in {"DBOS": "dbos", "Celery": "celery", "Temporal SDK": "temporalio"}.items():
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(package)
    programs = {"Redis": ("redis-server", r"v=([\d.]+)"), "Temporal": (str(temporal_peer.TEMPORAL), r"Server ([\d.]+)")}
    for name, (program, pattern) in programs.items():
        if path := shutil.which(program):
            said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
            if version := re.search(pattern, said):
                found[name] = version.group(1)
    return found


def web_setting(name: str) -> int:
    """Return a setting of the web applications as they have it: from the environment, or the default."""
    return int(os.environ.get(name.upper(), Settings.model_fields[name].default))


@click.command()
@click.option("--rounds", default=3, show_default=True, help="How often the contestants take turns.")
@click.option("--seconds", default=3.0, show_default=True, help="How long each load lasts, two in a round.")
@click.option("--kills", default=5, show_default=True, help="How often each writing process is killed.")
def main(rounds: int, seconds: float, kills: int) -> None:
    """Measure the add of both twins and of what a user would pick instead."""
    console = Console()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    reasons = {peer.ABOUT.title: missing(peer) for peer in PEERS}
    peers = [peer for peer in PEERS if not reasons[peer.ABOUT.title]]
    skipped = {title: reason for title, reason in reasons.items() if reason}
    for title, reason in skipped.items():
        console.print(f"[yellow]without {title}: {reason}")

    began, started = time.monotonic(), datetime.now(UTC)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        contenders = len(peers) + 2
        starting = progress.add_task("starting", total=contenders - 1)

        def say(what: str) -> None:
            progress.update(starting, description=f"starting {what}")
            progress.advance(starting)

        try:
            with contestants(peers, say) as (running, place):
                loading = progress.add_task("load", total=contenders * (1 + rounds))
                speeds = measure.speeds(running, rounds, seconds, lambda: progress.advance(loading))
                killing = progress.add_task("kills", total=contenders * kills)
                rows = []
                for one in running:
                    progress.update(killing, description=f"killing {one.about.title}")
                    survived = measure.kills(one, kills, lambda: progress.advance(killing))
                    # What was killed has come again under another number.
                    place.remember()
                    rows.append(row(one, speeds[one.name], survived))
                found = all_versions(running[0])
        except (StackError, LoadError, NothingProvedError) as error:
            sys.exit(f"error: {error}; the servers' log is {DATA / 'peers' / 'servers.log'}")
    results = Results(
        started=started,
        seconds=round(time.monotonic() - began, 1),
        machine=machine(),
        versions=found,
        clients=measure.CLIENTS,
        web_workers=web_setting("web_workers"),
        web_threads=web_setting("web_threads"),
        waiting_threads=WAITING_THREADS,
        rows=rows,
        skipped=skipped,
    )
    path = DATA / "peers.json"
    results.write(path)
    table.print_table(results, console)
    console.print(f"The results: {path}")


def row(one: Contestant, speed: measure.Speed, survived: Kills) -> Row:
    """Return what the table says of a contestant."""
    return Row(
        name=one.name,
        title=one.about.title,
        lines=total(one.about.code),
        code={part.path: part.lines for part in one.about.code},
        components=[server.name for server in one.parts.components],
        p50_ms=speed.p50_ms,
        adds_per_second=speed.adds_per_second,
        rounds=speed.rounds,
        kills=survived,
        durable=one.about.durable,
        killed=one.about.killed,
        not_comparable=one.about.not_comparable,
    )


if __name__ == "__main__":
    main(prog_name="python -m tests.bench.peers")
