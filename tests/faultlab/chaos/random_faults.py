"""Breaks a laboratory's servers and links at random, one thing at a time, and mends each."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests.faultlab.laboratory import LONGER_THAN_EVERY_TIMEOUT_SECONDS, Laboratory
from tests.faultlab.wire.messages import Direction
from tests.faultlab.wire.proxy import Proxy
from todo_stack.errors import StopRequested
from todo_stack.size import ONE, Size

SHORT_PAUSE_SECONDS = 1.0
"""Shorter than every time-out: no server is taken for dead."""
BETWEEN_RESETS_SECONDS = 0.5


@dataclass
class InjectedFault:
    """A fault that was injected; times are seconds of the monotonic clock."""

    kind: str
    target: str
    at: float
    """Seconds since the run began."""
    began_at: float = field(default_factory=time.monotonic)
    ended_at: float | None = None
    """When it was mended."""

    def __str__(self) -> str:
        return f"{self.kind}: {self.target}"


@dataclass(frozen=True)
class ChaosSettings:
    """What decides a run of chaos."""

    seed: int
    seconds: float
    on_seconds: float = 5.0
    """How long a fault lasts."""
    off_seconds: float = 5.0
    """How long it is calm between two faults."""
    report: Callable[[InjectedFault], None] = lambda _fault: None
    """Called with each fault as it begins."""
    report_end: Callable[[InjectedFault], None] = lambda _fault: None
    """Called with each fault once it is mended."""
    stop: threading.Event = field(default_factory=threading.Event)
    """Once it is set, a run ends with StopRequested."""
    size: Size = ONE
    """How many of each server there are."""


@dataclass
class RandomFaults:
    """Injects faults until the time is over; `injected` is what it has done."""

    lab: Laboratory
    settings: ChaosSettings
    injected: list[InjectedFault] = field(default_factory=list)

    def run(self, enough: Callable[[], bool] = lambda: True) -> None:
        """Break and mend until the time is over; a fault that has begun is mended, even where that takes longer.

        Where that is not `enough` it goes on, at most as long again: on a busy machine little succeeds in the time.
        Raises StopRequested if that was asked for meanwhile.
        """
        began = time.monotonic()
        end = began + self.settings.seconds
        latest = end + self.settings.seconds
        for kind, target, inject in self._choices():
            self._last(min(self.settings.off_seconds, max(end - time.monotonic(), 0)))
            now = time.monotonic()
            if now >= latest or (now >= end and enough()):
                return
            fault = InjectedFault(kind, target, time.monotonic() - began)
            self.injected.append(fault)
            self.settings.report(fault)
            inject()
            fault.ended_at = time.monotonic()
            self.settings.report_end(fault)

    def _choices(self) -> Iterator[tuple[str, str, Callable[[], None]]]:
        """Yield kind, target and deed: all kinds in ever new orders, so that a short run has many; any target."""
        dice = random.Random(f"{self.settings.seed} nemesis")
        servers, links, everything = self.lab.servers, self.lab.links, {"everything": self.lab.stack}
        ways = {f"{name}, {way}": (link, way) for name, link in links.items() for way in Direction}
        on, long = self.settings.on_seconds, LONGER_THAN_EVERY_TIMEOUT_SECONDS
        kinds: list[tuple[str, Mapping[str, Any], Callable[[Any], None]]] = [
            ("kill", servers, lambda server: self._break(server.kill, on, server.start)),
            ("stop", servers, lambda server: self._break(server.stop, on, server.start)),
            ("short pause", servers, lambda server: self._break(server.pause, SHORT_PAUSE_SECONDS, server.resume)),
            ("long pause", servers, lambda server: self._break(server.pause, long, server.resume)),
            ("resets", links, self._reset),
            ("refused", links, lambda link: self._break(partial(_refuse, link), on, link.heal)),
            ("blackhole", links, lambda link: self._break(link.blackhole, on, link.heal)),
            ("long blackhole", links, lambda link: self._break(link.blackhole, long, link.heal)),
            ("one way lost", ways, self._lose),
            ("unanswered", links, lambda link: self._break(partial(_leave_unanswered, link), on, link.heal)),
            ("power cut", everything, lambda stack: self._break(stack.kill, on, stack.start)),
        ]
        while True:
            for kind, targets, inject in dice.sample(kinds, len(kinds)):
                name = dice.choice(list(targets))
                yield kind, name, partial(inject, targets[name])

    def _break(self, begin: Callable[[], None], seconds: float, mend: Callable[[], None]) -> None:
        begin()
        # Nothing is mended if a stop is asked for meanwhile: the laboratory ends what is frozen, too.
        self._last(seconds)
        mend()

    def _reset(self, link: Proxy) -> None:
        end = time.monotonic() + self.settings.on_seconds
        while time.monotonic() < end:
            link.reset_connections()
            self._last(BETWEEN_RESETS_SECONDS)

    def _lose(self, way: tuple[Proxy, Direction]) -> None:
        link, direction = way
        self._break(partial(link.blackhole, direction), self.settings.on_seconds, link.reset_connections)
        link.heal()

    def _last(self, seconds: float) -> None:
        """Let a fault, or the time between two, last: this is how long it is, not a wait for something."""
        if self.settings.stop.wait(seconds):
            raise StopRequested


def _refuse(link: Proxy) -> None:
    link.refuse()
    link.reset_connections()


def _leave_unanswered(link: Proxy) -> None:
    link.leave_unanswered()
    link.reset_connections()
