"""The folder that a measurement runs in: empty at its beginning, and held by one run at a time."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.support.logs import log_to
from todo_stack.data_folder import MARK, kill_leftovers, locked
from todo_stack.output import Log

LOG = "servers.log"


@contextlib.contextmanager
def workspace(folder: Path) -> Iterator[Log]:
    """Hold the folder, emptied, and yield what writes the servers' log there.

    What they stored is removed at the end. Raises StackError if another run holds the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder), contextlib.ExitStack() as at_end:
        # A run that was killed has left its servers running.
        for mark in folder.rglob(MARK):
            kill_leftovers(mark.parent)
        _empty(folder)
        at_end.callback(_empty, folder)
        yield at_end.enter_context(log_to(folder / LOG))


def _empty(folder: Path) -> None:
    """Remove the data of the servers; the log stays for whoever asks what went wrong."""
    for old in folder.iterdir():
        if old.is_dir():
            shutil.rmtree(old)
