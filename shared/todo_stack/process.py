"""One process of the stack: a server, started until it is healthy, or a step that runs to its end.

mirakuru starts, stops and kills. What is added here: the output line by line, the whole tree of descendants
(gunicorn's workers, PostgreSQL's processes with sessions of their own), and one clear line when it fails.
"""

import atexit
import contextlib
import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import mirakuru.base
import psutil
from mirakuru.exceptions import ProcessFinishedWithError

from todo_stack import tree
from todo_stack.checks import Check
from todo_stack.errors import StackError, StopRequested

Log = Callable[[str, str], None]
"""Takes the name of a process and one line of its output."""

POLL_SECONDS = 0.05
RETRY_SECONDS = 0.5
LAST_LINES = 20
KILL_SECONDS = 10.0
"""How long a process may need to vanish after SIGKILL, which only the kernel can delay."""

# mirakuru's clean-up at exit looks for its processes by a number that may be part of another stack's mark,
# and would kill the servers of that one. Ours are stopped by their owners.
atexit.unregister(mirakuru.base.cleanup_subprocesses)


class _Executor(mirakuru.base.SimpleExecutor):
    """mirakuru's executor, with a whole environment given and no Python between fork and exec."""

    @property
    def envvars(self) -> dict[str, str]:
        return {**self._envvars, mirakuru.base.ENV_UUID: self._uuid}

    @property
    def _popen_kwargs(self) -> dict[str, Any]:
        kwargs = super()._popen_kwargs
        # A preexec_fn is not safe in a process with threads; this says the same.
        del kwargs["preexec_fn"]
        return {**kwargs, "start_new_session": True}

    def stop_within(self, seconds: float) -> None:
        """Stop, and kill what has not ended within this time."""
        self._timeout = seconds
        # Any exit code will do: it was asked to end, and it has ended.
        with contextlib.suppress(ProcessFinishedWithError):
            self.stop()


class Process:
    """One process with its output and its descendants. Can be started again after it has ended."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        env: Mapping[str, str],
        log: Log,
        *,
        cwd: Path | None = None,
        timeout: float = 60,
        stop_signal: signal.Signals = signal.SIGTERM,
        stop_timeout: float = 10,
        cancelled: threading.Event | None = None,
    ) -> None:
        """Prepare a process; nothing runs yet.

        Args:
            name: for the log and for messages.
            command: program and arguments.
            env: the whole environment.
            log: takes each line of output, from a thread.
            cwd: working directory.
            timeout: seconds until it must be ready (a server) or at its end (a step).
            stop_signal: asks it to end in order.
            stop_timeout: seconds it may take for that before it is killed.
            cancelled: ends every waiting for this process with StopRequested once it is set.

        """
        self.name = name
        self.command = list(command)
        self.env = dict(env)
        self._log = log
        self._cwd = cwd
        self._timeout = timeout
        self._stop_signal = stop_signal
        self._stop_timeout = stop_timeout
        self._cancelled = cancelled or threading.Event()
        self._executor: _Executor | None = None
        self._reader: threading.Thread | None = None
        self._last_lines: deque[str] = deque(maxlen=LAST_LINES)

    @property
    def _process(self) -> "subprocess.Popen[str] | None":
        return self._executor.process if self._executor else None

    @property
    def running(self) -> bool:
        """Whether the process itself is there, paused or not."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """Its number while it has not been stopped or killed by us; kept when it has ended by itself."""
        return self._process.pid if self._process else None

    @property
    def last_lines(self) -> list[str]:
        """The end of its output since the last start."""
        return list(self._last_lines)

    def spawn(self) -> None:
        """Start the process without waiting for anything.

        Raises:
            StackError: if it runs already or its program cannot be run.

        """
        if self.running:
            raise StackError(f"{self.name} is running already")
        self._forget()
        self._last_lines.clear()
        # A pipe of ours and not Popen's: closing must not wait for a survivor that holds its other end.
        output, writer = os.pipe()
        try:
            executor = _Executor(
                self.command,
                cwd=str(self._cwd) if self._cwd else None,
                timeout=self._timeout,
                sleep=POLL_SECONDS,
                stop_signal=self._stop_signal,
                envvars=self.env,
                stdin=subprocess.DEVNULL,
                stdout=writer,
                stderr=subprocess.STDOUT,
            )
            executor.start()
        except OSError as error:
            os.close(output)
            raise StackError(f"{self.name} cannot be started: {self.command[0]}: {error.strerror}") from None
        finally:
            os.close(writer)
        self._executor = executor
        self._reader = threading.Thread(target=self._read, args=(output,), name=f"log of {self.name}", daemon=True)
        self._reader.start()

    def stop(self) -> None:
        """Ask the process to end, wait, then kill whatever is left of it and its descendants."""
        if self._executor is None:
            return
        members = self._family()
        if not members:
            self._forget()
            return
        tree.thaw(members)
        self._executor.stop_within(self._stop_timeout)
        tree.kill(members)
        self._ended(members)

    def kill(self) -> None:
        """Kill the process and all its descendants at one moment (SIGKILL) and wait until they are gone."""
        if self._executor is None:
            return
        # Frozen first, so that none of them lives on to see the others die.
        members = self._family(freeze=True)
        tree.kill(members)
        if self._process:
            self._process.wait()
        self._executor.kill()  # Finds by its mark also who was not in the tree any more.
        self._ended(members)

    def pause(self) -> None:
        """Freeze the process and all its descendants (SIGSTOP); connections stay open, unanswered."""
        self._family(freeze=True)

    def resume(self) -> None:
        """Let them go on after pause()."""
        tree.thaw(self._family())

    def how_it_ended(self) -> str:
        """Say in words how the process ended by itself: exit code or signal."""
        code = self._process.poll() if self._process else None
        if code is None:
            return "stopped"
        if code >= 0:
            return f"exit code {code}"
        return f"killed by {signal.Signals(-code).name}"

    def _wait_for(self, condition: Check) -> bool:
        """Return whether the condition came to hold in time."""
        if self._executor is None:
            raise StackError(f"{self.name} was not started")
        while self._executor.check_timeout():
            if condition():
                return True
            if self._cancelled.wait(POLL_SECONDS):
                raise StopRequested
        return False

    def _family(self, *, freeze: bool = False) -> list[psutil.Process]:
        """Return the process and its descendants; nobody if it ended, for its number may be another's now."""
        if self._process is None or not self.running:
            return []
        return tree.freeze(self._process.pid) if freeze else tree.family(self._process.pid)

    def _error(self, what: str) -> StackError:
        """Make the error for a process that ended: what happened, and its last words."""
        self._join_reader()
        lines = [line for line in self._last_lines if line.strip()]
        # PostgreSQL explains itself after the line that says what is wrong.
        reasons = [line for line in lines if not line.startswith(("DETAIL:", "HINT:"))]
        return StackError(f"{self.name} {what}{': ' + reasons[-1].strip() if reasons else ''}", lines)

    def _ended(self, members: Sequence[psutil.Process]) -> None:
        left = tree.wait_gone(members, KILL_SECONDS)
        self._join_reader()
        self._executor = None
        if left:
            raise StackError(f"{self.name}: these processes do not end: {', '.join(str(m.pid) for m in left)}")

    def _forget(self) -> None:
        """Release what is left of a process that ended by itself, and its descendants."""
        if self._executor is not None:
            self._executor.kill()
            self._ended([])

    def _read(self, output: int) -> None:
        with open(output, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                text = line.rstrip("\n")
                self._last_lines.append(text)
                self._log(self.name, text)

    def _join_reader(self) -> None:
        if self._reader:
            # At its end within milliseconds, unless somebody who is not ours any more holds the pipe.
            self._reader.join(timeout=2)


class Server(Process):
    """A process that serves until it is stopped."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        env: Mapping[str, str],
        ready: Check,
        log: Log,
        *,
        attempts: int = 1,
        **options: Any,  # noqa: ANN401 (those of Process)
    ) -> None:
        """Prepare a server; `ready` says whether it is healthy, `attempts` how often a start may be tried."""
        super().__init__(name, command, env, log, **options)
        self._ready = ready
        self._attempts = attempts

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
        for attempts_left in reversed(range(self._attempts)):
            if not self._wait_for(lambda: not self.running or self._ready()):
                self.kill()
                raise self._error(f"was not ready within {self._timeout:g} s")
            if self.running:
                return
            error = self._error(f"did not start ({self.how_it_ended()})")
            if not attempts_left:
                self.kill()
                raise error
            if self._cancelled.wait(RETRY_SECONDS):
                raise StopRequested
            self.spawn()


class Step(Process):
    """A process that does one thing and ends."""

    def finish(self) -> None:
        """Wait for the spawned step to end well.

        Raises:
            StackError: if it fails or takes too long.
            StopRequested: if that was asked for meanwhile. The step may still run then.

        """
        if not self._wait_for(lambda: not self.running):
            self.kill()
            raise self._error(f"took more than {self._timeout:g} s")
        ended = self.how_it_ended()
        self.kill()
        if ended != "exit code 0":
            raise self._error(f"failed ({ended})")

    def run(self) -> None:
        """Spawn and finish. A step that was interrupted is killed."""
        self.spawn()
        try:
            self.finish()
        finally:
            self.kill()
