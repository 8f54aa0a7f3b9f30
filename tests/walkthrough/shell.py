"""One bash, as a reader's terminal: what a block sets, the next block finds."""

import contextlib
import queue
import subprocess
import threading
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from todo_stack import tree

SECONDS = 120.0
"""In which a block must be done. Installing a package takes longest."""
STOP_SECONDS = 20.0


class Shell:
    """A bash that runs blocks of commands, one after another."""

    def __init__(self, stdin: IO[str], stdout: IO[str]) -> None:
        """Talk to a bash that has just been started."""
        self._stdin, self._lines = stdin, _lines_of(stdout)

    def run(self, commands: str) -> str:
        """Run a block; return what it printed, errors included. Its exit code is not looked at: the output is.

        Raises:
            AssertionError: it is not done in time, or has ended the shell.

        """
        end = f"end of {uuid.uuid4().hex}"
        # A command that reads its input must not get the next block.
        self._stdin.write(f"{{\n{commands}\n}} </dev/null\nprintf '\\n%s\\n' '{end}'\n")
        self._stdin.flush()
        printed = ""
        while not printed.endswith(f"\n{end}\n"):
            try:
                line = self._lines.get(timeout=SECONDS)
            except queue.Empty:
                raise AssertionError(f"not done after {SECONDS:g} s without output:\n{commands}\n{printed}") from None
            assert line is not None, f"the shell has ended:\n{commands}\n{printed}"
            printed += line
        return printed.removesuffix(f"\n{end}\n").removesuffix("\n")


@contextlib.contextmanager
def bash(folder: Path, environment: Mapping[str, str]) -> Iterator[Shell]:
    """Run a bash in this folder; whatever it has left running in the background is ended with it."""
    process = subprocess.Popen(
        ["/usr/bin/env", "bash", "--noprofile", "--norc"],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdin
    assert process.stdout
    try:
        yield Shell(process.stdin, process.stdout)
    finally:
        members = tree.freeze(process.pid)
        tree.kill(members)
        process.wait()
        process.stdin.close()
        assert not tree.wait_gone(members, STOP_SECONDS)


def _lines_of(stdout: IO[str]) -> "queue.Queue[str | None]":
    """Return a queue that gets each line, and None at the end, so that waiting for one can have a deadline."""
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        with stdout:
            for line in stdout:
                lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    return lines
