"""A data folder has one stack at a time."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from todo_stack.errors import StackError


@contextlib.contextmanager
def locked(data: Path) -> Iterator[None]:
    """Hold the data folder; the kernel lets go of it when this process ends, however it does.

    Raises:
        StackError: if another stack holds it.

    """
    with (data / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise StackError(
                f"a stack runs on {data} already (process {file.read().strip()}): end that first"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
