"""Files that are there whole or not at all, whenever the power fails."""

import os
import stat
from pathlib import Path

from todo_stack.errors import StackError

_MOST_BYTES = 2**20


def write_whole(file: Path, content: bytes) -> None:
    """Write the file, readable by its owner alone, or leave it as it was."""
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600, exist_ok=False)
    new.write_bytes(content)
    new.replace(file)


def read(file: Path) -> str:
    """Return what is in a text file of ours; raises OSError, or StackError if it is no such file.

    Another user may have the folder: a link to a file of ours is not followed, a pipe is not waited for.
    """
    with open(file, "rb", opener=lambda path, flags: os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)) as content:
        if not stat.S_ISREG(os.fstat(content.fileno()).st_mode):
            raise StackError(f"{file} is not the text file that it was")
        try:
            return content.read(_MOST_BYTES).decode()
        except UnicodeDecodeError:
            raise StackError(f"{file} is not the text file that it was") from None
