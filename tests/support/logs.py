"""What servers print, kept in a file beside their data."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from todo_stack.output import Log


@contextlib.contextmanager
def log_to(file: Path) -> Iterator[Log]:
    """Return what takes the lines of servers, from any thread. Those that come after the end are dropped."""
    with file.open("w") as lines:

        def write(name: str, line: str) -> None:
            if not lines.closed:
                print(f"{name}: {line}", file=lines, flush=True)

        yield write
