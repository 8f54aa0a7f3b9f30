"""What ends a start: whatever cannot do its work raises StackError, and what waits may raise StopRequested."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from todo_shared.printable_logs import printable

NO_SPACE = ("No space left on device", "Disk quota exceeded", "tar: Wrote only")
"""The kernel's words for a full disk, in every program here, and tar's own."""

_LITTLE_BYTES = 32 * 2**20
"""PostgreSQL and Restate take space in pieces of up to 16 MiB, so this can be left on a disk that is full to them."""


class StackError(Exception):
    """Something is in the way: the message is one clear line, `log` the last lines of the process meant."""

    def __init__(self, message: str, log: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.log = list(log)
        if self.log:
            # A note is shown under the message in tracebacks and by pytest, and stays out of the one line.
            self.add_note("\n".join(self.log))


class StopRequested(Exception):  # noqa: N818 (it is no error)
    """Somebody asked to stop while something was being waited for."""


def one_line(error: StackError | OSError, data: Path) -> str:
    """Return what a user of this data folder is told: the error, and where to make room if a disk is full."""
    if isinstance(error, StackError):
        text = printable(str(error))
    else:
        text = f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)
    if not any(words in text for words in NO_SPACE):
        return text
    folders = [data, Path(tempfile.gettempdir())]
    full = [folder for folder in folders if folder.exists() and shutil.disk_usage(folder).free < _LITTLE_BYTES]
    where = " and of ".join(map(str, full or folders[:1]))
    return f"{text}. Make room on the disk of {where}, or set TODO_DATA to a folder on another disk"
