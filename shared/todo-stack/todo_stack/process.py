"""One process of the stack: a server, started until it is healthy, or a step that runs to its end.

A server is more than its first process: gunicorn's workers and PostgreSQL's processes end and freeze with it. They are
found as its descendants or, when it was killed and they have lost their parent, by a mark in their environment.
"""

import contextlib
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

import psutil

from todo_stack import tree
from todo_stack.checks import Check, comes_true
from todo_stack.errors import StackError
from todo_stack.output import Log, Output, cause

LIMIT_SECONDS = 60.0
"""In which a server must be ready and a step at its end, unless it says otherwise."""
RETRY_SECONDS = 0.5
KILL_SECONDS = 10.0
"""How long a process may need to vanish after SIGKILL, which only the kernel can delay."""

KILLED = f"killed by {signal.SIGKILL.name}"
"""How a process ended that somebody killed with `kill -9`."""

MARK = "TODO_STACK_PROCESS"
"""The environment variable by which descendants are known; each start has a value of its own."""


@dataclass(eq=False, repr=False)
class Process:
    """One process with its output and its descendants. Can be started again after it has ended."""

    name: str
    command: Sequence[str]
    env: dict[str, str]
    """Its whole environment."""
    log: Log
    """Takes its output, from a thread."""
    _: KW_ONLY
    cwd: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    """Asks it to end in order."""
    stop_seconds: float = 10
    """How long it may take for that before it is killed."""
    owns: Callable[[psutil.Process], bool] = lambda _process: False
    """Knows descendants that overwrite their environment, and the mark with it."""
    cancelled: threading.Event | None = None
    """Ends every wait for this process with StopRequested once it is set."""
    listener: socket.socket | None = None
    """A listening socket that it shares with others of its kind; its environment says which."""
    limit_seconds: float = LIMIT_SECONDS
    _popen: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _output: Output | None = field(default=None, init=False)
    _mark: str = field(default_factory=lambda: uuid.uuid4().hex, init=False)
    _deadline: float = field(default=0.0, init=False)

    @property
    def running(self) -> bool:
        """Whether the process itself is there, paused or not."""
        return self._popen is not None and self._popen.poll() is None

    @property
    def pid(self) -> int | None:
        """Its number, until we stop or kill it; kept when it has ended by itself."""
        return self._popen.pid if self._popen else None

    @property
    def last_lines(self) -> list[str]:
        """The end of its output since the last start."""
        return self._output.last_lines if self._output else []

    def spawn(self) -> None:
        """Start the process without waiting for anything. What is left of its last run is killed before."""
        if self.running:
            raise StackError(f"{self.name} is running already")
        self._end([])
        self._mark = uuid.uuid4().hex
        self._deadline = time.monotonic() + self.limit_seconds
        self._output = Output(self.name, self.log)
        try:
            self._popen = subprocess.Popen(
                self.command,
                cwd=self.cwd,
                env={**self.env, MARK: self._mark},
                stdin=subprocess.DEVNULL,
                stdout=self._output.writer,
                stderr=subprocess.STDOUT,
                # Ctrl-C in the terminal is for us, and we stop it.
                start_new_session=True,
                pass_fds=[self.listener.fileno()] if self.listener else [],
            )
        except OSError as error:
            raise StackError(f"{self.name} cannot be started: {self.command[0]}: {error.strerror}") from None
        finally:
            self._output.close()

    def stop(self) -> None:
        """Ask the process to end, wait, then kill whatever is left of it and its descendants."""
        if self._popen is None:
            return
        if members := self._family():
            tree.thaw(members)
            self._popen.send_signal(self.stop_signal)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(self.stop_seconds)
        self._end(members)

    def kill(self) -> None:
        """Kill the process and all its descendants at one moment (SIGKILL) and wait until they are gone."""
        if self._popen is not None:
            # Frozen first, so that none of them lives on to see the others die.
            self._end(self._family(freeze=True))

    def pause(self) -> None:
        """Freeze the process and all its descendants (SIGSTOP); connections stay open, unanswered."""
        self._family(freeze=True)

    def resume(self) -> None:
        """Let them go on after pause()."""
        tree.thaw(self._family())

    def how_it_ended(self) -> str:
        """Say in words how the process ended by itself: exit code or signal."""
        code = self._popen.poll() if self._popen else None
        if code is None:
            return "stopped"
        if code >= 0:
            return f"exit code {code}"
        return f"killed by {signal.Signals(-code).name}"

    def error(self, what: str) -> StackError:
        """Return the error for a process that ended: what happened, why, and the last lines of its output."""
        if self._output:
            self._output.finish()
        lines = [line for line in self.last_lines if line.strip()]
        reason = cause(lines)
        return StackError(f"{self.name} {what}{': ' + reason if reason else ''}", lines)

    def _comes_true(self, condition: Check) -> bool:
        """Wait until the condition holds; return whether it does in the time that the process has."""
        if self._popen is None:
            raise StackError(f"{self.name} was not started")
        return comes_true(condition, self._deadline - time.monotonic(), cancelled=self.cancelled)

    def _family(self, *, freeze: bool = False) -> list[psutil.Process]:
        """Return the process and its descendants; nobody if it ended, for its number may be another's now."""
        if self._popen is None or not self.running:
            return []
        return tree.freeze(self._popen.pid) if freeze else tree.family(self._popen.pid)

    def _orphans(self) -> list[psutil.Process]:
        """Return the descendants that have outlived the process."""
        return tree.find(lambda process: self.owns(process) or process.environ().get(MARK) == self._mark)

    def _end(self, members: Sequence[psutil.Process]) -> None:
        """Kill these and whatever else is left of the process, and forget it."""
        tree.kill(members)
        if self._popen:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(KILL_SECONDS)
        orphans = self._orphans()
        tree.kill(orphans)
        left = tree.wait_gone([*members, *orphans], KILL_SECONDS)
        if self._output:
            self._output.finish()
        self._popen = None
        if left:
            raise StackError(f"{self.name}: these processes do not end: {', '.join(str(m.pid) for m in left)}")


@dataclass(eq=False, repr=False)
class Server(Process):
    """A process that serves until it is stopped."""

    ready: Check
    """Says whether it is healthy."""
    _: KW_ONLY
    attempts: int = 1
    """How often a start may be tried."""

    @property
    def healthy(self) -> bool:
        """Whether it runs and says now that it is ready. One that hangs takes some seconds to say no."""
        return self.running and self.ready()

    def start(self) -> None:
        """Start the server and return when it is healthy.

        Raises:
            StackError: if it ends before that, or is not healthy in time. Nothing of it runs then.
            StopRequested: if that was asked for meanwhile. The server may still run then.

        """
        self.spawn()
        self.wait_ready()

    def wait_ready(self) -> None:
        """Return when the spawned server is healthy. Raises what start() raises."""
        for attempts_left in reversed(range(self.attempts)):
            if not self._comes_true(lambda: not self.running or self.ready()):
                self.kill()
                raise self.error(f"was not ready within {self.limit_seconds:g} s")
            if self.running:
                return
            error = self.error(f"did not start ({self.how_it_ended()})")
            if not attempts_left:
                self.kill()
                raise error
            comes_true(lambda: False, RETRY_SECONDS, cancelled=self.cancelled)
            self.spawn()


class Step(Process):
    """A process that does one thing and ends."""

    def finish(self) -> None:
        """Wait for the spawned step to end well.

        Raises:
            StackError: if it fails or takes too long.
            StopRequested: if that was asked for meanwhile. The step may still run then.

        """
        if not self._comes_true(lambda: not self.running):
            self.kill()
            raise self.error(f"took more than {self.limit_seconds:g} s")
        ended = self.how_it_ended()
        self.kill()
        if ended != "exit code 0":
            raise self.error(f"failed ({ended})")

    def run(self) -> None:
        """Spawn and finish. A step that was interrupted is killed."""
        self.spawn()
        try:
            self.finish()
        finally:
            self.kill()
