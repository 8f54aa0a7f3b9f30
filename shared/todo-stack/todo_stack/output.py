"""What a process prints: each line goes to the log as it comes, and the last ones are kept."""

import os
import re
import threading
from collections import deque
from collections.abc import Callable, Sequence

from todo_stack.errors import NO_SPACE

Log = Callable[[str, str], None]
"""Takes the name of a process and one line of its output."""


def no_log(_name: str, _line: str) -> None:
    """Drop a line."""


LAST_LINES = 20

_JOIN_SECONDS = 2.0
"""The reader is at the end within milliseconds, unless a process that is no longer ours holds the pipe."""


_OF_THE_KERNEL = (*NO_SPACE, "Address already in use")
"""What everything else that a program says follows from."""
_GRAVE = re.compile(r"\b(PANIC|FATAL|CRITICAL|ERROR)\b|\berror: ")
_FRAME = '  File "'


def cause(lines: Sequence[str]) -> str:
    """Return the line in which a process says why it ended, and not what followed from that; empty if it said nothing.

    In this order: what the kernel refused; Python's exception; the last error; the last line.
    """
    frames = [number for number, line in enumerate(lines) if line.startswith(_FRAME)]
    after = lines[frames[-1] :] if frames else []
    # PostgreSQL adds explanations to the line that says what is wrong.
    said = [line for line in lines if line.strip() and not line.startswith(("DETAIL:", "HINT:"))]
    candidates = (
        *(line for line in reversed(said) if any(words in line for words in _OF_THE_KERNEL)),
        *(line for line in after if line.strip() and not line.startswith(" ")),
        *(line for line in reversed(said) if _GRAVE.search(line)),
        *reversed(said),
    )
    return candidates[0].strip() if candidates else ""


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
