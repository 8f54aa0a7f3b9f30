"""The live lab: both sides, what is going on in them, and who is told of it."""

import contextlib
import json
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

from tests.faultlab.laboratory import Laboratory
from tests.faultlab.live.arms import TROUBLE, NotNowError
from tests.faultlab.live.broadcast import Broadcast
from tests.faultlab.live.playing import play, rage
from tests.faultlab.live.side import KINDS_OF_OPERATIONS, Side
from tests.faultlab.live.stories import STORIES, Story
from todo_stack.errors import StopRequested
from todo_stack.output import Log
from todo_stack.twins import TWINS

LOOK_SECONDS = 1.2
"""How long a story shows a message that is held: shorter than every time-out of the twins."""
WIRE_SECONDS, COUNT_SECONDS, COUNT_ENDS_SECONDS = 0.05, 0.3, 3.0
CHAOS_RATE = 5
QUIET_SECONDS = 30.0
CHAOS = "chaos"


class Lab:
    """Both twins, live. Any thread may call its methods; they raise NotNowError for what cannot be done now."""

    def __init__(self, data: Path, log: Log, look_seconds: float, stop: threading.Event) -> None:
        """Describe it; nothing runs yet.

        `look_seconds` is how long a story shows what it holds. Once `stop` is set, everything that waits ends.
        """
        self.stop = stop
        self.sides: dict[str, Side] = {}
        self.story: dict[str, Any] | None = None
        self.busy = self.trouble = self.raged = ""
        self._look_seconds = look_seconds
        self._laboratories = [
            Laboratory(twin, data / twin.key, log, cancelled=self.stop, with_outside_world=True) for twin in TWINS
        ]
        self._broadcast = Broadcast(stop)
        self._one_at_a_time = threading.Lock()
        self._rate, self._stream_kind = 0.0, "add"
        self._threads: list[threading.Thread] = []
        self._counters: list[threading.Thread] = []
        self._running = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as started:
            # Together: each takes some seconds.
            with ThreadPoolExecutor(len(TWINS)) as pool:
                running = [pool.submit(started.enter_context, lab) for lab in self._laboratories]
            for one in running:
                one.result()
            for lab in self._laboratories:
                side = self.sides[lab.which.key] = Side(lab, self._broadcast.take, self.stop)
                started.callback(side.close)
            self._running = started.pop_all()
        for target in (self._pump_wire, self._pump_state, self._pump_customers):
            self._threads.append(threading.Thread(target=target, name=target.__name__, daemon=True))
            self._threads[-1].start()
        for side in self.sides.values():
            self._counters.append(threading.Thread(target=self._pump_count, args=[side], name="count", daemon=True))
            self._counters[-1].start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join()
        for thread in self._counters:
            thread.join(COUNT_ENDS_SECONDS)
        self._running.close()
        # One that has asked a frozen database has its answer now.
        for thread in self._counters:
            thread.join()

    def chosen(self, twin: str) -> list[Side]:
        """Return the sides that are meant: one by its key, or both."""
        if twin != "both" and twin not in self.sides:
            raise NotNowError(f"there is no twin {twin!r}: plain, restate or both")
        return [side for key, side in self.sides.items() if twin in ("both", key)]

    # What a user can do.

    def operate(self, twin: str, kind: str, *, again: bool) -> list[str]:
        """Let the customer ask for an operation; return its key in each twin."""
        _check_kind(kind)
        return [side.operate(kind, again=again).key for side in self.chosen(twin)]

    def stream(self, rate: float, kind: str) -> None:
        """Let the customer ask for so many operations a second in each twin; none ends it."""
        _check_kind(kind)
        if rate:
            for side in self.sides.values():
                side.check_room()
        self.trouble = ""
        self._rate, self._stream_kind = rate, kind

    def tell(self, name: str) -> None:
        """Begin a story in both twins."""
        if name not in STORIES:
            raise NotNowError(f"there is no story {name!r}: {', '.join(STORIES)}")
        self._begin(STORIES[name].title, lambda: self._play(STORIES[name]))

    def chaos(self, seconds: float, seed: int | None) -> int:
        """Begin chaos in both twins, with a steady stream; return the seed."""
        seed = random.SystemRandom().randrange(2**32) if seed is None else seed
        self._begin(f"{CHAOS}, seed {seed}", lambda: self._rage(seconds, seed))
        return seed

    def heal(self) -> None:
        """Let everything pass and run in both twins."""
        self._in_both(Side.heal)

    def check_free(self, *, for_customer: bool) -> None:
        """Raise NotNowError while a story is told or chaos rages; a customer may come during chaos."""
        if self.busy and not (for_customer and self.busy.startswith(CHAOS)):
            raise NotNowError(f"{self.busy} goes on: wait for its end")

    def reset(self) -> None:
        """Begin anew: everything healed, nothing counted."""
        self._rate, self.story, self.raged, self.trouble = 0.0, None, "", ""
        self.heal()
        for side in self.sides.values():
            side.forget()

    # What is shown.

    def state(self) -> dict[str, Any]:
        """Return everything that the page shows but what passes on the wire."""
        return {
            "busy": self.busy,
            "trouble": self.trouble,
            "raged": self.raged,
            "story": self.story,
            "stream": {"rate": self._rate, "kind": self._stream_kind},
            "sides": {key: side.shown() for key, side in self.sides.items()},
        }

    def listen(self) -> Iterator[tuple[str, str]]:
        """Yield what happens, as names and JSON: `wire` has what has passed, `state` how everything is."""
        return self._broadcast.listen(self.state())

    def _pump_wire(self) -> None:
        while not self.stop.wait(WIRE_SECONDS):
            for side in self.sides.values():
                side.arms.treat()
            self._broadcast.tell_passed()

    def _pump_state(self) -> None:
        last = ""
        while not self.stop.wait(COUNT_SECONDS):
            state = self.state()
            if (now := json.dumps(state)) != last:
                self._broadcast.tell("state", state)
                last = now

    def _pump_count(self, side: Side) -> None:
        while not self.stop.wait(COUNT_SECONDS):
            side.look()

    def _pump_customers(self) -> None:
        rate = 0.0
        while not self.stop.wait(1 / rate if rate else COUNT_SECONDS):
            if rate := self._rate:
                try:
                    for side in self.sides.values():
                        side.check_room()
                        side.operate_soon(self._stream_kind)
                except NotNowError as error:
                    self._rate, self.trouble = 0.0, f"the stream has ended: {error}"

    # Stories and chaos.

    def _begin(self, name: str, work: Callable[[], None]) -> None:
        if not self._one_at_a_time.acquire(blocking=False):
            raise NotNowError(f"{self.busy} goes on: wait for its end")

        def run() -> None:
            try:
                work()
            except StopRequested:
                pass
            except TROUBLE as error:
                self.trouble = f"{name} has failed: {error}"
            finally:
                self.busy = ""
                self._broadcast.forget_standing()
                self._one_at_a_time.release()

        self.busy, self.trouble = name, ""
        self._threads.append(threading.Thread(target=run, name=name, daemon=True))
        self._threads[-1].start()

    def _play(self, story: Story) -> None:
        self.reset()
        told = {key: {"phase": "begins", "verdict": None, "key": None, "error": None} for key in self.sides}
        self.story = {**story.shown(), "sides": told}

        def play_in(side: Side) -> None:
            try:
                play(side, story, told[side.key], self._look_seconds, self.stop)
            except TROUBLE as error:
                told[side.key] |= {"phase": "failed", "error": str(error)}

        self._in_both(play_in)

    def _rage(self, seconds: float, seed: int) -> None:
        before = self._rate
        self.reset()
        self._rate = before or CHAOS_RATE
        try:
            self._in_both(lambda side: rage(side, seconds, seed, self.stop))
        finally:
            self._rate = before
        self.busy += ", is over: what goes on still is waited for"
        self._in_both(lambda side: side.until_quiet(QUIET_SECONDS))
        self.raged = f"{CHAOS}, seed {seed}, is over"

    def _in_both(self, work: Callable[[Side], None]) -> None:
        """Do it in both twins at the same time; raises what one of them has raised."""
        with ThreadPoolExecutor(len(self.sides)) as pool:
            list(pool.map(work, self.sides.values()))


def _check_kind(kind: str) -> None:
    if kind not in KINDS_OF_OPERATIONS:
        raise NotNowError(f"there is no operation {kind!r}: {', '.join(KINDS_OF_OPERATIONS)}")
