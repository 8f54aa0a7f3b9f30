"""Recovery: how long after an outage everything is done that was accepted before and during it.

with Background(folder / "long", 300) as long:  # The outages have begun.
    ...
    recoveries, drain = measure(folder / "short")
    recoveries += long.finish()
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.bench.folder import fresh_folder
from tests.bench.outage import SERVERS, Outage, RecoveryError
from tests.bench.results import Drain, Recovery
from tests.lab.twins import Twin, twin_of
from todo_stack.ports import RESTATE, Ports
from todo_stack.process import Log
from todo_stack.stack import Stack

IN_FLIGHT = 32
IN_FLIGHT_IN_BACKGROUND = 8
"""Fewer: each is tried again all the time, and takes as much of the machine from what is measured meanwhile."""

WAITING = 1000
WAITING_SECONDS = 5.0
"""How long the backlog waits: its calls are then tried at the longest interval, as they are after any longer outage."""

LONG_SECONDS = 30.0
"""From here on the outages of the servers last side by side, on a twin for each."""

Step = Callable[[str], None]
"""Is told of each recovery when it has been measured, in a word or two."""


def measure(
    folder: Path, outages: Iterable[float] = (1, 10, 60), step: Step = lambda _what: None
) -> tuple[list[Recovery], Drain]:
    """Measure the recovery from outages of each server that last so many seconds, and the drain of a backlog.

    Raises:
        RecoveryError: something was not applied in time, or something of the backlog was lost or duplicated.
        StackError: a server does not start.

    """
    outages = sorted(outages)
    recoveries = []
    with contextlib.ExitStack() as ending:
        long = [
            ending.enter_context(Background(folder / f"{seconds:g}", seconds))
            for seconds in outages
            if seconds >= LONG_SECONDS
        ]
        log = ending.enter_context(fresh_folder(folder / "short"))
        twin = ending.enter_context(_running_twin(folder / "short" / "twin", log))
        for seconds in outages[: len(outages) - len(long)]:
            for target in SERVERS:
                outage = Outage(twin, target, IN_FLIGHT)
                outage.begin()
                outage.last(seconds)
                recoveries.append(_end(outage, step))
        drain = _drain(twin)
        step(f"backlog of {drain.operations:,}")
        for background in long:
            recoveries += background.finish(step)
    return recoveries, drain


class Background:
    """Outages of each server, on a twin of its own, that last while other things are measured."""

    def __init__(self, folder: Path, seconds: float) -> None:
        """Prepare them; nothing happens yet."""
        self._folder = folder
        self._seconds = seconds
        self._outages: list[Outage] = []
        self._ending = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as on_failure:
            log = on_failure.enter_context(fresh_folder(self._folder))
            for target, server in SERVERS.items():
                twin = on_failure.enter_context(_running_twin(self._folder / server, log))
                outage = Outage(twin, target, IN_FLIGHT_IN_BACKGROUND)
                outage.begin()
                # It has no part in it any more, and needs memory.
                twin.web.stop()
                self._outages.append(outage)
            self._ending = on_failure.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.close()

    def finish(self, step: Step = lambda _what: None) -> list[Recovery]:
        """Wait until they have lasted long enough, and measure one recovery after the other.

        Raises:
            RecoveryError: something was not applied in time.
            StackError: a server does not start.

        """
        for outage in self._outages:
            outage.last(self._seconds)
        return [_end(outage, step) for outage in self._outages]


@contextlib.contextmanager
def _running_twin(data: Path, log: Log) -> Iterator[Twin]:
    """Run the Restate twin with default settings; its connections are made and its code is loaded."""
    with Stack([RESTATE], data=data, ports=Ports.free(), log=log) as stack:
        twin = twin_of(stack, RESTATE)
        twin.add("warm-up")
        yield twin


def _end(outage: Outage, step: Step) -> Recovery:
    recovery = outage.end()
    step(f"{recovery.target}, {recovery.outage_seconds:g} s")
    return recovery


def _drain(twin: Twin) -> Drain:
    """Let a backlog wait for the service endpoint."""
    outage = Outage(twin, "service endpoint", WAITING)
    outage.begin()
    outage.last(WAITING_SECONDS)
    recovery = outage.end()
    if recovery.lost or recovery.duplicated:
        raise RecoveryError(f"of {WAITING} operations {recovery.lost} were lost and {recovery.duplicated} duplicated")
    return Drain(operations=recovery.in_flight, seconds=recovery.applied_after_seconds)
