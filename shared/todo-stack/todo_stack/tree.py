"""A process with everything that it has started, also what has left its process group and session."""

import contextlib
import signal
from collections.abc import Callable, Iterable

import psutil

from todo_stack.checks import comes_true

_POLL_SECONDS = 0.01


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
        _send(signal.SIGSTOP, new)
        frozen += new
    return frozen


def thaw(members: Iterable[psutil.Process]) -> None:
    """Let paused processes go on (SIGCONT)."""
    _send(signal.SIGCONT, members)


def kill(members: Iterable[psutil.Process]) -> None:
    """Send SIGKILL to those that still run."""
    _send(signal.SIGKILL, members)


def wait_gone(members: Iterable[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait until these have ended and return those that have not.

    psutil's own wait counts the dead whom nobody has reaped yet, and in a container that may be forever.
    """
    left = list(members)

    def all_gone() -> bool:
        left[:] = [member for member in left if not is_dead(member)]
        return not left

    comes_true(all_gone, seconds, poll=_POLL_SECONDS)
    return left


def is_dead(member: psutil.Process) -> bool:
    """Say whether a process has ended, reaped or not."""
    try:
        return not member.is_running() or member.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _send(number: signal.Signals, members: Iterable[psutil.Process]) -> None:
    for member in members:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.send_signal(number)
