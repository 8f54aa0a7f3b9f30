"""Recovery: how long after an outage everything is done that was accepted before and during it."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from pathlib import Path

from tests.costs.measure import Fields, Findings, MeasurementError, Progress
from tests.costs.measure.outage import Outage
from tests.costs.measure.workspace import workspace
from tests.costs.records import Drain, Recovery
from tests.support.running_twin import restate_twin
from todo_stack.output import Log
from todo_stack.ports import Ports
from todo_stack.stack import Stack
from todo_stack.twins import RESTATE

SERVERS = [name for name in RESTATE.servers if name != RESTATE.title]
"""Those that are killed: all but the web, which only hands in."""

IN_FLIGHT = 32
IN_FLIGHT_IN_BACKGROUND = 8
"""Fewer: each is tried again all the time, and takes as much of the machine from what is measured meanwhile."""

WAITING = 1000
WAITING_SECONDS = 5.0
"""How long the backlog waits: its calls are then tried at the longest interval, as they are after any longer outage."""

LONG_SECONDS = 30.0
"""From here on, and the longest ones, outages of the servers last side by side, on a twin for each."""


def measure(
    folder: Path, progress: Progress, outages: Sequence[float] = (1, 10, 60, 300), meanwhile: Iterable[Fields] = ()
) -> Findings:
    """Measure the recovery from outages of each server that last so many seconds, and the drain of a backlog.

    `meanwhile` is done while the longest of them last, which take nothing from the machine; what it yields is yielded.
    """
    *shorter, longest = sorted(outages)
    with contextlib.ExitStack() as ending:
        background = [ending.enter_context(_in_background(folder / "longest", longest))]
        yield from meanwhile
        for seconds in shorter:
            if seconds >= LONG_SECONDS:
                background.append(ending.enter_context(_in_background(folder / f"{seconds:g}", seconds)))
        log = ending.enter_context(workspace(folder / "short"))
        stack = ending.enter_context(_running_twin(folder / "short" / "twin", log))
        recoveries = []
        for seconds, server in product(shorter, SERVERS):
            if seconds < LONG_SECONDS:
                outage = Outage(stack, server, IN_FLIGHT, seconds)
                outage.begin()
                recoveries += _finish([outage], progress)
        yield {"recoveries": recoveries, "drain": _drain(stack)}
        progress.step(f"backlog of {WAITING:,}")
        for begun in reversed(background):
            recoveries += _finish(begun, progress)
            yield {"recoveries": recoveries}


@contextlib.contextmanager
def _in_background(folder: Path, seconds: float) -> Iterator[list[Outage]]:
    """Begin an outage of each server, on a twin of its own, that lasts while other things are measured."""
    with contextlib.ExitStack() as ending:
        log = ending.enter_context(workspace(folder))
        outages = []
        for server in SERVERS:
            stack = ending.enter_context(_running_twin(folder / server, log))
            outages.append(Outage(stack, server, IN_FLIGHT_IN_BACKGROUND, seconds))
            outages[-1].begin()
            # It has no part in it any more, and needs memory.
            stack.servers[RESTATE.title].stop()
        yield outages


def _finish(outages: Sequence[Outage], progress: Progress) -> list[Recovery]:
    """Wait until they have lasted long enough, and measure one recovery after the other."""
    found = []
    for outage in outages:
        found.append(outage.end())
        progress.step(f"{outage.killed}, {outage.seconds:g} s")
    return found


@contextlib.contextmanager
def _running_twin(data: Path, log: Log) -> Iterator[Stack]:
    """Run the Restate twin with default settings; its connections are made and its code is loaded."""
    with Stack([RESTATE], data=data, ports=Ports.free(), log=log) as stack:
        restate_twin(stack).add("warm-up")
        yield stack


def _drain(stack: Stack) -> Drain:
    """Let a backlog wait for the service endpoint."""
    outage = Outage(stack, RESTATE.writer, WAITING, WAITING_SECONDS)
    outage.begin()
    recovery = outage.end()
    if recovery.lost or recovery.duplicated:
        raise MeasurementError(f"of {WAITING} operations {recovery.lost} were lost, {recovery.duplicated} duplicated")
    return Drain(operations=recovery.in_flight, seconds=recovery.applied_after_seconds)
