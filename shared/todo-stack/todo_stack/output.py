"""What a process prints: each line goes to the log as it comes, and the last ones are kept."""

import os
import threading
from collections import deque
from collections.abc import Callable

Log = Callable[[str, str], None]
"""Takes the name of a process and one line of its output."""


def no_log(_name: str, _line: str) -> None:
    """Drop a line."""


LAST_LINES = 20

_JOIN_SECONDS = 2.0
"""The reader is at the end within milliseconds, unless a process that is no longer ours holds the pipe."""


class Output:
    """A pipe for the output of one process, read in a thread of its own."""

    def __init__(self, name: str, log: Log) -> None:
        """Open the pipe. Its owner gives `writer` to the process and then closes it with close()."""
        self._name = name
        self._log = log
        self._lines: deque[str] = deque(maxlen=LAST_LINES)
        # A pipe of ours and not Popen's: closing must not wait for a survivor that holds its other end.
        reader, self.writer = os.pipe()
        self._thread = threading.Thread(target=self._read, args=(reader,), name=f"log of {name}", daemon=True)
        self._thread.start()

    @property
    def last_lines(self) -> list[str]:
        """The end of the output."""
        return list(self._lines)

    def close(self) -> None:
        """Close our copy of the writing end: the process, which has its own, is then the only one that writes."""
        os.close(self.writer)

    def finish(self) -> None:
        """Wait until everything that was printed has been read."""
        self._thread.join(_JOIN_SECONDS)

    def _read(self, reader: int) -> None:
        with open(reader, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                text = line.rstrip("\n")
                self._lines.append(text)
                self._log(self._name, text)
