"""What servers print, kept in a file beside their data."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from todo_stack.output import Log

FILE = "servers.log"
"""The name of this file."""


@contextlib.contextmanager
def log_to(file: Path) -> Iterator[Log]:
    """Return what takes the lines of servers, from any thread. Those that come after the end are dropped."""
    with file.open("w") as lines:

        def write(name: str, line: str) -> None:
            if not lines.closed:
                print(f"{name}: {line}", file=lines, flush=True)

        yield write


def printed(data: Path, after: int = 0) -> dict[str, list[str]]:
    """Return the lines of servers with this data folder, by server, without the first so many lines of all."""
    by_server: dict[str, list[str]] = {}
    for line in data.with_name(FILE).read_text().splitlines()[after:]:
        name, _, text = line.partition(": ")
        by_server.setdefault(name, []).append(text)
    return by_server
