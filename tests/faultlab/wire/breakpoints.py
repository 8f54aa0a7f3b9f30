"""Breakpoints: which message to stop, and what becomes of it."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import time
from dataclasses import dataclass, field

from anyio.from_thread import BlockingPortal

from .events import EventKind, EventLog
from .messages import Match, Message
from .wire_thread import on_wire_thread

_SETTLING_SECONDS = 1.0  # to carry out a decision where the link is silent or the receiver asleep
_SHOWN = 12  # the last messages named when a breakpoint was not hit


@dataclass(frozen=True)
class Decision:
    """What becomes of a message, after a delay in seconds: RELEASED, DROPPED or RESET."""

    fate: EventKind
    delay: float = 0.0


@dataclass(eq=False)
class Held:
    """A message that was stopped. Exactly one of its methods decides; each returns when that has been done."""

    portal: BlockingPortal
    point: Breakpoint
    message: Message
    connection: int
    since: float = field(default_factory=time.monotonic)
    fate: EventKind | None = None
    decision: asyncio.Future[Decision] = field(default_factory=asyncio.Future)
    _settled: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self) -> None:
        """Pass the message on, and what waits behind it. Returns when it has been written to its receiver's socket."""
        self._decide(Decision(EventKind.RELEASED))

    def drop(self) -> None:
        """Swallow the message and leave the connection open: its receiver never learns of it."""
        self._decide(Decision(EventKind.DROPPED))

    def reset(self) -> None:
        """Swallow the message and reset the connection (RST) on both sides."""
        self._decide(Decision(EventKind.RESET))

    def stall(self, seconds: float) -> None:
        """Pass the message on after so many seconds from now. Returns at once."""
        self._decide(Decision(EventKind.RELEASED, delay=seconds))

    @on_wire_thread
    async def _decide(self, decision: Decision) -> None:
        if self.fate is EventKind.GONE or self.decision.cancelled():
            return  # too late: the connection is gone, and the message with it
        if self.decision.done():
            raise RuntimeError(f"{self} was decided before: {self.fate or self.decision.result().fate}")
        self.decision.set_result(decision)
        if not decision.delay:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._settled.wait(), _SETTLING_SECONDS)

    def settle(self, fate: EventKind) -> None:
        """Keep what became of the message; on the thread of the wire."""
        self.fate = fate
        self._settled.set()
        if self.point.decision:  # nobody had to decide: only now has the hit happened
            self.point.hits.put(self)

    def __str__(self) -> str:
        return f"{self.message.name} {self.message.direction} on {self.point.link} #{self.connection}"


@dataclass(eq=False)
class Breakpoint:
    """Stops, or otherwise treats, the next messages that match; each time it does so is a hit.

    Without `decision` the messages are held until told. `times=None` means every matching message.
    """

    portal: BlockingPortal
    link: str
    match: Match
    log: EventLog
    decision: Decision | None
    times: int | None
    """How many it still stops."""
    hits: queue.Queue[Held] = field(default_factory=queue.Queue)
    """Those that wait to be fetched."""
    _held: list[Held] = field(default_factory=list)
    _since: float = field(default_factory=time.monotonic)

    def wait(self, timeout: float = 10.0) -> Held:
        """Return the next hit, in the order in which they happened.

        Raises TimeoutError after `timeout` seconds, saying what was still missing and what passed instead.
        """
        try:
            return self.hits.get(timeout=timeout)
        except queue.Empty:
            seen = [str(event) for event in self.log.events(self._since) if event.link == self.link]
            passed = "".join(f"\n  {line}" for line in seen[-_SHOWN:]) or " nothing"
            raise TimeoutError(
                f"{self.link}: no {self.match} within {timeout:g} s; since it was awaited, {len(seen)} events:{passed}"
            ) from None

    # What follows is called on the thread of the wire.

    def end(self) -> None:
        """Stop no further message, and release those that are held."""
        self.times = 0
        for held in self._held:
            if not held.decision.done():
                held.decision.set_result(Decision(EventKind.RELEASED))

    def take(self, message: Message, connection: int) -> Held | None:
        """Return the hit if this message is one."""
        if self.times == 0 or not self.match(message):
            return None
        if self.times is not None:
            self.times -= 1
        held = Held(self.portal, self, message, connection)
        if self.decision:
            held.decision.set_result(self.decision)
        else:
            self._held.append(held)
            self.hits.put(held)
        return held
