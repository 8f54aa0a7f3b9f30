"""Keeps the servers of a running stack up, as `restart: unless-stopped` does in compose, and takes orders by name."""

import threading
import time
from collections.abc import Callable

from todo_stack.errors import StackError, StopRequested
from todo_stack.orders import Order, inbox, take
from todo_stack.output import Log
from todo_stack.process import KILLED, Process, Server
from todo_stack.stack import Stack

LOOK_SECONDS = 0.1
"""Between two looks at the servers and at the orders."""
FIRST_PAUSE_SECONDS = 0.5
"""A moment, so that a user who kills a server sees that it is gone."""
LONGEST_PAUSE_SECONDS = 8.0
"""The pause doubles up to this: a server that dies again and again then fills neither the processor nor the log."""
STEADY_SECONDS = 10.0
"""A server that has run for so long is steady: its next pause is the first again."""
MOST_QUICK_ENDS = 5
"""So many quick ends in a row mean that a server cannot stay up. With the pauses they take some ten seconds, in which
what it needs can come back. A user may kill a healthy server (SIGKILL) again and again without ending the stack."""
ASK_AGAIN_AFTER = 0.1
"""Of the time for which a server has been asked for its health. Each question is a line in its log, and a server that
needs a stopped one may be asked for long."""
START_SECONDS = 60.0
"""How long an order to start waits for health before it is answered; the server stays."""


class Watched:
    """A server of a running stack, started again when it ends, until somebody stops it by name."""

    def __init__(self, server: Server, spawn: Callable[[Process], None], log: Log) -> None:
        """Watch a server that has just become healthy; `spawn` starts it."""
        self.server = server
        self._spawn = spawn
        self._log = log
        self._wanted = True
        self._healthy = True
        self._spawned_at = self._asked_since = self._asked_at = time.monotonic()
        self._pause = FIRST_PAUSE_SECONDS
        self._start_at: float | None = None
        """When it is started again; None while it runs or is not wanted."""
        self._quick_ends = 0
        self._waiting: list[tuple[Order, float]] = []
        """Orders that are answered when it is healthy, and until when."""

    def look(self) -> None:
        """See how the server is, and start it again when it is time for that, unless it cannot stay up."""
        if self._start_at is not None:
            if time.monotonic() >= self._start_at:
                self._start()
        elif self._wanted and not self.server.running:
            self._handle_end(self.server.how_it_ended())
        elif self._wanted and (self._waiting or not self._healthy):
            self._ask_for_health()
        self._refuse_overdue()

    def kill(self, order: Order) -> None:
        """Kill it (SIGKILL); it is started again."""
        pid = self.server.pid
        if not self._runs(order):
            return
        self.server.kill()
        self._start_at = time.monotonic() + FIRST_PAUSE_SECONDS
        self._say(f"(process {pid}) was killed by order, and is started again")
        order.done(f"{self.server.name} (process {pid}) is killed, and is started again")

    def stop(self, order: Order) -> None:
        """Stop it, and leave it so."""
        pid = self.server.pid if self.server.running else None
        until = f"until make start WHAT={self.server.name}"
        self._wanted, self._start_at = False, None
        self.server.stop()
        for waiting, _ in self._waiting:
            waiting.refused(f"{self.server.name} was stopped meanwhile")
        self._waiting.clear()
        if pid is None:
            order.done(f"{self.server.name} does not run, and stays so {until}")
            return
        self._say(f"(process {pid}) was stopped by order, and stays so {until}")
        order.done(f"{self.server.name} (process {pid}) is stopped, and stays so {until}")

    def pause(self, order: Order) -> None:
        """Freeze it (SIGSTOP); connections stay open, unanswered."""
        until = f"until make start WHAT={self.server.name}"
        if not self._runs(order):
            return
        self.server.pause()
        self._say(f"(process {self.server.pid}) was frozen by order, and stays so {until}")
        order.done(f"{self.server.name} (process {self.server.pid}) is frozen, and stays so {until}")

    def start(self, order: Order) -> None:
        """Start it, if it does not run, or let it go on; answered when it is healthy."""
        self.server.resume()
        self._waiting.append((order, time.monotonic() + START_SECONDS))
        self._asked_since = time.monotonic()
        if not self.server.running:
            self._quick_ends, self._pause = 0, FIRST_PAUSE_SECONDS
            self._wanted = True
            self._start()

    def _runs(self, order: Order) -> bool:
        """Return whether it runs; if not, refuse the order."""
        if not self.server.running:
            then = "it is started again in a moment" if self._wanted else f"make start WHAT={self.server.name}"
            order.refused(f"{self.server.name} does not run: {then}")
        return self.server.running

    def _start(self) -> None:
        self._start_at = None
        self._healthy = False
        self._spawned_at = self._asked_since = time.monotonic()
        try:
            self._spawn(self.server)
        except StackError as error:
            self._handle_end(str(error))

    def _handle_end(self, how: str) -> None:
        if time.monotonic() - self._spawned_at >= STEADY_SECONDS:
            self._pause = FIRST_PAUSE_SECONDS
            self._quick_ends = 0
        elif not (self._healthy and how == KILLED):
            self._quick_ends += 1
        if self._quick_ends >= MOST_QUICK_ENDS:
            self._say("cannot stay up: everything is stopped")
            raise self.server.error(f"ended {self._quick_ends} times in a row soon after its start ({how})")
        pid = f"(process {self.server.pid}) " if self.server.pid else ""
        # Its workers end with it, as they do in a container; they would go on serving without it.
        self.server.kill()
        self._say(f"{pid}ended: {how}. It is started again in {self._pause:g} s")
        self._start_at = time.monotonic() + self._pause
        self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)

    def _ask_for_health(self) -> None:
        now = time.monotonic()
        if now - self._asked_at < (now - self._asked_since) * ASK_AGAIN_AFTER:
            return
        self._asked_at = now
        if not self.server.healthy:
            return
        if not self._healthy:
            self._say(f"(process {self.server.pid}) is healthy again")
        self._healthy = True
        for order, _ in self._waiting:
            order.done(f"{self.server.name} (process {self.server.pid}) is healthy")
        self._waiting.clear()

    def _refuse_overdue(self) -> None:
        for order, until in tuple(self._waiting):
            if until < time.monotonic():
                self._waiting.remove((order, until))
                order.refused(f"{self.server.name} is not healthy after {START_SECONDS:g} s: see the log of the stack")

    def _say(self, what: str) -> None:
        self._log("stack", f"{self.server.name} {what}")


class Supervisor:
    """Watches a stack that has been started. Everything happens in the thread of run(), one thing after another."""

    def __init__(self, stack: Stack, log: Log, cancelled: threading.Event) -> None:
        """Watch nothing yet; `log` takes what becomes of the servers, `cancelled` ends run()."""
        self._data = stack.data
        self._cancelled = cancelled
        self._watched = {name: Watched(server, stack.spawn, log) for name, server in stack.servers.items()}

    def run(self) -> None:
        """Start again what ends, and carry out orders, until that is cancelled.

        Raises:
            StackError: a server cannot stay up. The others still run.
            StopRequested: it was cancelled.

        """
        with inbox(self._data) as folder:
            while not self._cancelled.wait(LOOK_SECONDS):
                for watched in self._watched.values():
                    watched.look()
                for order in take(folder):
                    self._carry_out(order)
        raise StopRequested

    def _carry_out(self, order: Order) -> None:
        watched = self._watched.get(order.name)
        if watched is None:
            what = f"there is no server {order.name!r} in this stack" if order.name else "WHAT is missing"
            order.refused(f"{what}: it is one of {', '.join(self._watched)}")
        else:
            orders = {"kill": watched.kill, "stop": watched.stop, "pause": watched.pause, "start": watched.start}
            orders[order.verb](order)
