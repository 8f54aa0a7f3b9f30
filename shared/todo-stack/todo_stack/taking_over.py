"""Data that another user has becomes PostgreSQL's own: as a copy, for its owner may have a file of it open."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from todo_stack.errors import StackError
from todo_stack.output import Log
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
    _replace(data, copied, log)
    if not data.exists() or commands.owns(data):
        return
    if data.is_mount():
        raise StackError(f"{data} belongs to another user, and is a mount point: mount it one folder higher")
    new = copied.with_name("new")
    if copied.parent.exists() and not remove(copied.parent):
        raise StackError(f"{copied.parent} cannot be removed")
    copied.parent.mkdir(mode=0o700)
    try:
        commands.make(new)
        run_step(f"the copy of {data}", commands.copy(data, new), BARE, _COPY_SECONDS)
        if found := _foreign_entry(new):
            raise StackError(f"{data} belongs to another user, and PostgreSQL has not made {found} in it")
        os.sync()
        new.rename(copied)
    finally:
        if not copied.exists():
            remove(copied.parent)
    _replace(data, copied, log)


def _replace(data: Path, copied: Path, log: Log) -> None:
    """Let the copy, if there is one, take the place of the data."""
    if copied.exists():
        if data.exists():
            data.rename(copied.with_name("old"))
        copied.rename(data)
        if not remove(copied.parent):
            log("stack", f"{copied.parent} is not needed any more, and cannot be removed")


def _foreign_entry(folder: Path) -> str:
    """Return the path of something in a folder that PostgreSQL does not make, such as a link; nothing if all is its."""
    for test in (["!", "-type", "f", "!", "-type", "d"], ["-mindepth", str(_TOO_DEEP)]):
        if found := aside(["find", str(folder), *test, "-printf", "%P", "-quit"]).stdout:
            return found
    return ""
