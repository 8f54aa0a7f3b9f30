"""Data that another user has becomes PostgreSQL's own: as a copy, for its owner may have a file of it open."""

import contextlib
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

from todo_stack.errors import StackError
from todo_stack.output import Log, cause
from todo_stack.unprivileged import BARE, Commands, aside, copy_of, remove

_COPY_SECONDS = 3600.0
_TOO_DEEP = 8
"""PostgreSQL's folders are four deep."""

RunStep = Callable[[str, Sequence[str], Mapping[str, str], float], None]
"""Takes the name of a step, its command, its environment and its limit in seconds."""


def take_over(data: Path, commands: Commands, run_step: RunStep, log: Log) -> None:
    """Let the server's user own the data. What is interrupted is gone on with, or begun anew, at the next start.

    Raises StackError: it cannot be copied, and is as it was.
    """
    copied = copy_of(data)
    _finish(data, copied, log)
    if not data.exists() or commands.owns(data):
        return
    if data.is_mount():
        raise StackError(f"{data} belongs to another user, and is a mount point: mount it one folder higher")
    new = copied.with_name("new")
    copied.parent.mkdir(mode=0o700)
    try:
        _check_unused(data)
        commands.make(new)
        run_step(f"the copy of {data}", commands.copy(data, new), BARE, _COPY_SECONDS)
        if found := _foreign_entry(new):
            raise StackError(f"{data} belongs to another user, and PostgreSQL has not made {found!r} in it")
        _check_unused(data)
        os.sync()
        new.rename(copied)
    finally:
        if not copied.exists():
            remove(copied.parent)
    _finish(data, copied, log)


def _finish(data: Path, copied: Path, log: Log) -> None:
    """Let the copy, if there is one, take the place of the data, and remove what is left of taking over."""
    staging = copied.parent
    if not os.path.lexists(staging):
        return
    found = staging.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise StackError(f"{staging} is not ours: remove it")
    if copied.exists():
        if data.exists():
            data.rename(copied.with_name("old"))
        copied.rename(data)
    if not remove(staging):
        log("stack", f"{staging} is not needed any more, and cannot be removed")


def _check_unused(data: Path) -> None:
    """Raise StackError if a process works in the data: what a server of another user still writes would be lost."""
    # Also a child that has outlived its server, which PostgreSQL itself would not find: this user is another one.
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if Path(process.cwd()).is_relative_to(data):
                raise StackError(f"process {process.pid} of user {process.uids().real} works in {data}: end it first")


def _foreign_entry(folder: Path) -> str:
    """Return the path of something in a folder that PostgreSQL does not make, such as a link; nothing if all is its."""
    for test in (["!", "-type", "f", "!", "-type", "d"], ["-mindepth", str(_TOO_DEEP)]):
        found = aside(["find", str(folder), *test, "-printf", "%P", "-quit"])
        if found.returncode:
            raise StackError(f"{folder} cannot be searched: {cause(found.stderr.splitlines())}")
        if found.stdout:
            return found.stdout
    return ""
