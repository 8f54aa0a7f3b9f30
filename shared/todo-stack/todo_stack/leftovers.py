"""Processes that a killed stack has left running: the next start finds them by a list on disk."""

import json
from collections.abc import Iterable
from pathlib import Path

import psutil

from todo_stack import tree
from todo_stack.files import write_whole
from todo_stack.process import KILL_SECONDS


class Leftovers:
    """The list of the processes that run on a data folder; only for the holder of the folder's lock."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def record(self, numbers: Iterable[int]) -> None:
        """Write down what runs now, each number with its start time."""
        alive = [member for number in numbers for member in tree.family(number)[:1]]
        write_whole(self._file, json.dumps([[member.pid, member.create_time()] for member in alive]).encode())

    def kill(self) -> int:
        """Kill what still runs of the last start, with all descendants; return how many were found."""
        if not self._file.exists():
            return 0
        # Empty where an earlier version was writing it when the power failed.
        recorded = [tree.known(pid, created) for pid, created in json.loads(self._file.read_text() or "[]")]
        found = [member for process in recorded if process for member in tree.freeze(process.pid)]
        tree.kill(found)
        # And until they are reaped: to PostgreSQL a dead server in the process table is alive.
        psutil.wait_procs(found, timeout=KILL_SECONDS)
        self._file.unlink()
        return len(found)
