"""The data folder: recognised as one of ours, in the format of this version, and held by one stack at a time."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import psutil

from todo_stack import tree
from todo_stack.errors import StackError
from todo_stack.files import read, write_whole
from todo_stack.process import KILL_SECONDS

MARK = "todo-stack-version"
"""The file that says that a folder is one of ours, and in which format its content is."""

VERSION = 2
"""Goes up with each change after which an earlier version cannot use the content.

1: PostgreSQL let in everybody on this machine. Its next start makes the roles and their passwords.
"""
_KNOWN = {"1", str(VERSION)}

_BEFORE_THE_SECRETS = frozenset({"lock", "secret_key", "pgpass", "compare", "bench", "browser", "lab", "trace"})
"""What a folder of ours can contain before it has its mark: results of make compare, bench, lab, trace and test, or
what a first start had made when it was interrupted. Beside data there are always the lock and the secret key."""


@contextlib.contextmanager
def held(data: Path) -> Iterator[None]:
    """Hold the data folder, made and marked as ours if it was not; nothing in it is ever removed."""
    check_ours(data)
    mark = data / MARK
    if mark.exists() and (found := read(mark).strip()) not in _KNOWN:
        raise StackError(
            f"{data} is in format {found!r}, and this version knows only {VERSION}: "
            "use the version that made it, or another folder (TODO_DATA)"
        )
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    if data.stat().st_uid != os.geteuid():
        raise StackError(f"{data} belongs to another user: set TODO_DATA to a folder of your own")
    with locked(data):
        # An earlier version has left it open.
        data.chmod(0o700)
        if not mark.exists() or read(mark).strip() != str(VERSION):
            write_whole(mark, f"{VERSION}\n".encode())
        yield


def check_ours(data: Path) -> None:
    """Make sure that this is one of our data folders, or can become one; write nothing."""
    names = {entry.name.removesuffix(".new") for entry in data.iterdir()} if data.exists() else set()
    if not (MARK in names or {"lock", "secret_key"} <= names or names <= _BEFORE_THE_SECRETS):
        raise StackError(f"{data} holds something that is not ours: TODO_DATA takes an empty folder, or a new one")


def check_removable(data: Path) -> None:
    """Make sure that this folder has our mark, and is no link to somewhere else."""
    if data.is_symlink():
        raise StackError(f"{data} is a symbolic link: remove it yourself, or name the folder that it leads to")
    if not (data / MARK).is_file():
        raise StackError(f"{data} has no file {MARK}, so it is not known as ours: remove it yourself")


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


@contextlib.contextmanager
def locked(data: Path) -> Iterator[None]:
    """Hold a folder that no other stack holds; the kernel lets go of it when this process ends, however it does."""
    with open(data / "lock", "a+", errors="replace", opener=_no_link) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise StackError(
                f"a stack runs on {data} already (process {file.read().strip()}): end that first"
            ) from None
        # For people alone: on a full disk the folder is held without it, so that it can still be removed.
        with contextlib.suppress(OSError):
            file.truncate(0)
            os.write(file.fileno(), str(os.getpid()).encode())
        yield


def mark_of(data: Path) -> dict[str, str]:
    """Return the environment variable by which processes that run on this data folder are known."""
    return {"TODO_STACK_DATA": str(data.resolve())}


def kill_leftovers(data: Path) -> int:
    """Kill what a killed stack has left running on a data folder, which the caller holds; return how many were found.

    A process that has written its title over its environment is found as a descendant of one that has not.
    """
    marked = tree.find(lambda process: mark_of(data).items() <= process.environ().items())
    found = {member for process in marked for member in tree.freeze(process.pid)}
    tree.kill(found)
    # And until they are reaped: to PostgreSQL a dead server in the process table is alive.
    psutil.wait_procs(found, timeout=KILL_SECONDS)
    return len(found)
