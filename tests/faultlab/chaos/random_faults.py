"""Breaks a laboratory's servers and links at random, one thing at a time, and mends each."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests.faultlab.laboratory import LONGER_THAN_EVERY_TIMEOUT_SECONDS, Laboratory
from tests.faultlab.wire import Proxy
from tests.support.running_twin import RunningServer, RunningStack
from todo_stack.errors import StopRequested

ON_SECONDS = 5.0
OFF_SECONDS = 5.0
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


class RandomFaults:
    """Injects faults until the time is over; `injected` is what it has done."""

    def __init__(
        self,
        lab: Laboratory,
        seed: int,
        stop: threading.Event,
        on_seconds: float,
        off_seconds: float,
        report: Callable[[InjectedFault], None],
    ) -> None:
        self.injected: list[InjectedFault] = []
        self._lab = lab
        self._random = random.Random(f"{seed} nemesis")
        self._stop = stop
        self._on, self._off = on_seconds, off_seconds
        self._report = report

    def run(self, seconds: float) -> None:
        """Break and mend for so long; a fault that has begun is mended, even where that takes longer.

        Raises:
            StopRequested: if that was asked for meanwhile.

        """
        began = time.monotonic()
        end = began + seconds
        for kind, target, inject in self._choices():
            self._last(min(self._off, max(end - time.monotonic(), 0)))
            if time.monotonic() >= end:
                return
            fault = InjectedFault(kind, target, time.monotonic() - began)
            self.injected.append(fault)
            self._report(fault)
            inject()
            fault.ended_at = time.monotonic()

    def _choices(self) -> Iterator[tuple[str, str, Callable[[], None]]]:
        """Yield kind, target and deed: all kinds in ever new orders, so that a short run has many; any target."""
        servers, links, everything = self._lab.stack.servers, self._lab.links, {"everything": self._lab.stack}
        kinds: list[tuple[str, Mapping[str, Any], Callable[[Any], None]]] = [
            ("kill", servers, lambda server: self._restart(server, server.kill)),
            ("stop", servers, lambda server: self._restart(server, server.stop)),
            ("short pause", servers, lambda server: self._pause(server, SHORT_PAUSE_SECONDS)),
            ("long pause", servers, lambda server: self._pause(server, LONGER_THAN_EVERY_TIMEOUT_SECONDS)),
            ("resets", links, self._reset),
            ("refused", links, self._refuse),
            ("blackhole", links, lambda link: self._blackhole(link, self._on)),
            ("long blackhole", links, lambda link: self._blackhole(link, LONGER_THAN_EVERY_TIMEOUT_SECONDS)),
            ("power cut", everything, lambda stack: self._restart(stack, stack.kill)),
        ]
        while True:
            for kind, targets, inject in self._random.sample(kinds, len(kinds)):
                name = self._random.choice(list(targets))
                yield kind, name, partial(inject, targets[name])

    def _restart(self, target: RunningServer | RunningStack, end: Callable[[], None]) -> None:
        end()
        self._last(self._on)
        target.start()

    def _pause(self, server: RunningServer, seconds: float) -> None:
        server.pause()
        try:
            self._last(seconds)
        finally:
            server.resume()

    def _reset(self, link: Proxy) -> None:
        end = time.monotonic() + self._on
        while time.monotonic() < end:
            link.reset_connections()
            self._last(BETWEEN_RESETS_SECONDS)

    def _refuse(self, link: Proxy) -> None:
        link.refuse()
        link.reset_connections()
        self._last(self._on)
        link.heal()

    def _blackhole(self, link: Proxy, seconds: float) -> None:
        link.blackhole()
        self._last(seconds)
        link.heal()

    def _last(self, seconds: float) -> None:
        """Let a fault, or the time between two, last: this is how long it is, not a wait for something."""
        if self._stop.wait(seconds):
            raise StopRequested
