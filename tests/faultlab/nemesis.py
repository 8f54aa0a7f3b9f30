"""The nemesis: breaks a laboratory's servers and links at random, one thing at a time, and mends each."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from tests.faultlab.laboratory import LONGER_THAN_EVERY_TIMEOUT_SECONDS, Laboratory
from todo_stack.errors import StopRequested

ON_SECONDS = 5.0
OFF_SECONDS = 5.0
SHORT_PAUSE_SECONDS = 1.0
"""Shorter than every time-out: nobody is taken for dead."""
BETWEEN_RESETS_SECONDS = 0.5

Report = Callable[["Fault"], None]


@dataclass
class Fault:
    """A fault that was injected; times are seconds of the monotonic clock."""

    kind: str
    target: str
    at: float
    """Seconds since the run began."""
    began_at: float = field(default_factory=time.monotonic)
    ended_at: float | None = None
    """When it was mended."""


class Nemesis:
    """Injects faults until the time is over; `faults` is what it has done."""

    def __init__(
        self,
        lab: Laboratory,
        seed: int,
        stop: threading.Event,
        *,
        on: float = ON_SECONDS,
        off: float = OFF_SECONDS,
        report: Report = lambda _fault: None,
    ) -> None:
        self.faults: list[Fault] = []
        self._lab = lab
        self._random = random.Random(f"{seed} nemesis")
        self._stop = stop
        self._on, self._off = on, off
        self._report = report

    def run(self, seconds: float) -> None:
        """Break and mend for so long; a fault that has begun is mended, even where that takes longer.

        Raises:
            StopRequested: if that was asked for meanwhile.

        """
        began = time.monotonic()
        until = began + seconds
        for kind, target, inject in self._choices():
            self._lasting(min(self._off, max(until - time.monotonic(), 0)))
            if time.monotonic() >= until:
                return
            fault = Fault(kind, target, time.monotonic() - began)
            self.faults.append(fault)
            self._report(fault)
            inject(target)
            fault.ended_at = time.monotonic()

    def _choices(self) -> Iterator[tuple[str, str, Callable[[str], None]]]:
        """Yield kind, target and deed: all kinds in ever new orders, so that a short run has many; any target."""
        servers, links = list(self._lab.stack.servers), list(self._lab.links)
        kinds: list[tuple[str, list[str], Callable[[str], None]]] = [
            ("kill", servers, self._kill),
            ("stop", servers, self._shut_down),
            ("short pause", servers, partial(self._pause, SHORT_PAUSE_SECONDS)),
            ("long pause", servers, partial(self._pause, LONGER_THAN_EVERY_TIMEOUT_SECONDS)),
            ("resets", links, self._reset),
            ("refused", links, self._refuse),
            ("blackhole", links, partial(self._blackhole, self._on)),
            ("long blackhole", links, partial(self._blackhole, LONGER_THAN_EVERY_TIMEOUT_SECONDS)),
            ("power cut", ["everything"], self._power_cut),
        ]
        while True:
            for kind, targets, deed in self._random.sample(kinds, len(kinds)):
                yield kind, self._random.choice(targets), deed

    def _kill(self, server: str) -> None:
        self._lab.stack.servers[server].kill()
        self._lasting(self._on)
        self._lab.stack.servers[server].start()

    def _shut_down(self, server: str) -> None:
        self._lab.stack.servers[server].stop()
        self._lasting(self._on)
        self._lab.stack.servers[server].start()

    def _pause(self, seconds: float, server: str) -> None:
        self._lab.stack.servers[server].pause()
        try:
            self._lasting(seconds)
        finally:
            self._lab.stack.servers[server].resume()

    def _reset(self, link: str) -> None:
        until = time.monotonic() + self._on
        while time.monotonic() < until:
            self._lab.links[link].reset_connections()
            self._lasting(BETWEEN_RESETS_SECONDS)

    def _refuse(self, link: str) -> None:
        self._lab.links[link].refuse()
        self._lab.links[link].reset_connections()
        self._lasting(self._on)
        self._lab.links[link].heal()

    def _blackhole(self, seconds: float, link: str) -> None:
        self._lab.links[link].blackhole()
        self._lasting(seconds)
        self._lab.links[link].heal()

    def _power_cut(self, _everything: str) -> None:
        self._lab.stack.kill()
        self._lasting(self._on)
        self._lab.stack.start()

    def _lasting(self, seconds: float) -> None:
        """Let a fault, or the time between two, last: this is how long it is, not a wait for something."""
        if self._stop.wait(seconds):
            raise StopRequested
