"""What the user sees: log lines, each with the name of its process in a colour of its own."""

import io
import sys
import threading

from rich.console import Console
from rich.text import Text

from todo_shared.printable_logs import printable
from todo_stack.size import split
from todo_stack.twins import SERVERS

_COLOURS = dict(zip(SERVERS, ("bright_blue", "blue", "cyan", "magenta", "yellow", "green"), strict=True))
_WIDTH = max(map(len, _COLOURS))


class _Console(Console):
    def on_broken_pipe(self) -> None:
        # rich would end the thread that prints; then nobody would read the process's output, and it would hang.
        raise BrokenPipeError


class Terminal:
    """Prints to standard output; goes silent, and sets `gone`, when nobody reads it any more."""

    def __init__(self, gone: threading.Event) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            # A server's line may have what this terminal cannot show.
            sys.stdout.reconfigure(errors="replace")
        self._console = _Console(highlight=False, soft_wrap=True)
        self._silent = False
        self._gone = gone

    def log(self, name: str, line: str) -> None:
        """Print a line of a process."""
        self._print(Text.assemble((f"{name:<{_WIDTH}} | ", _COLOURS.get(split(name)[0], "dim")), printable(line)))

    def say(self, text: str, style: str = "") -> None:
        """Print a line of our own."""
        self._print(Text(text, style))

    def _print(self, text: Text) -> None:
        if self._silent:
            return
        try:
            self._console.print(text)
        except OSError:
            self._silent = True
            self._gone.set()
