"""Everything a process has started, also what has left its process group and session."""

import contextlib
import time
from collections.abc import Callable, Iterable

import psutil

_POLL_SECONDS = 0.01

_CLOCK_SECONDS = 2.0
"""A start time is told by the wall clock, and moves with it when that is set right."""


def known(pid: int, created: float) -> psutil.Process | None:
    """Return the process with this number that was started then; None if it is gone, for numbers are used again."""
    try:
        process = psutil.Process(pid)
        return process if abs(process.create_time() - created) < _CLOCK_SECONDS else None
    except psutil.NoSuchProcess:
        return None


def find(is_meant: Callable[[psutil.Process], bool]) -> list[psutil.Process]:
    """Return the processes of this machine of which that is true."""
    found = []
    for process in psutil.process_iter():
        # It may be gone meanwhile, or be somebody else's and hidden from us; then it is not meant.
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if is_meant(process):
                found.append(process)
    return found


def family(pid: int) -> list[psutil.Process]:
    """Return the process and all its descendants; nothing if it is gone."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def freeze(pid: int) -> list[psutil.Process]:
    """Pause the process and all its descendants (SIGSTOP) and return them.

    Looked at again until nobody new is found: a child may be started between the look and the signal.
    """
    frozen: list[psutil.Process] = []
    while new := [member for member in family(pid) if member not in frozen]:
        for member in new:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.suspend()
        frozen += new
    return frozen


def thaw(members: Iterable[psutil.Process]) -> None:
    """Let paused processes go on (SIGCONT)."""
    for member in members:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.resume()


def kill(members: Iterable[psutil.Process]) -> None:
    """Send SIGKILL to those that still run."""
    for member in members:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()


def wait_gone(members: Iterable[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait until these have ended and return those that have not.

    psutil's own wait counts the dead whom nobody has reaped yet, and in a container that may be forever.
    """
    deadline = time.monotonic() + seconds
    while (left := [member for member in members if not is_dead(member)]) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return left


def is_dead(member: psutil.Process) -> bool:
    """Say whether a process has ended, be it that nobody has reaped it yet."""
    try:
        return not member.is_running() or member.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
