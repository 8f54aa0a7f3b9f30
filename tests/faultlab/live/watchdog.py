"""Ends the servers of a lab that was killed: a process beside it, which reads from it until it is no more."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from todo_stack import data_folder
from todo_stack.errors import StackError
from todo_stack.paths import REPOSITORY
from todo_stack.twins import OUTSIDE_WORLD, TWINS


@contextlib.contextmanager
def watched(data: Path) -> Iterator[None]:
    """Have a watchdog for what runs on this data folder, however this process ends."""
    # In a session of its own, so that what ends the lab's terminal or group does not end it.
    command = [sys.executable, "-m", "tests.faultlab.live.watchdog", str(data.resolve())]
    with subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, start_new_session=True):
        yield


def kill_leftovers(data: Path) -> None:
    """Kill what runs on the data folder of a twin of a lab; the caller holds the lab's folder."""
    for marked in (data, data / OUTSIDE_WORLD):
        data_folder.kill_leftovers(marked)


def main() -> None:
    """Wait until the lab has ended, and kill what it has left."""
    data = Path(sys.argv[1])
    sys.stdin.read()
    # A lab that ends its servers itself holds its folder until then. Or another one holds it, which was started since.
    with contextlib.suppress(StackError), data_folder.locked(data):
        for twin in TWINS:
            kill_leftovers(data / twin.key)


if __name__ == "__main__":
    main()
