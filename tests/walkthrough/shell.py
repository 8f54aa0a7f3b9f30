"""One bash, as a reader's terminal: what a block sets, the next block finds."""

import contextlib
import os
import select
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

from todo_stack import tree

SILENT_SECONDS = 120.0
"""How long a block may print nothing. Installing a package takes longest."""
STOP_SECONDS = 20.0


class Shell:
    """A bash that runs blocks of commands, one after another."""

    def __init__(self, bash: "subprocess.Popen[bytes]") -> None:
        """Take a bash that has just been started, with pipes."""
        assert bash.stdin
        assert bash.stdout
        self._stdin, self._stdout = bash.stdin, bash.stdout

    def run(self, commands: str) -> str:
        """Run a block; return what it printed, errors included. Its exit code does not count: what it printed does.

        Raises AssertionError if it is not done in time, or has ended the shell.
        """
        end, printed = f"\nend of {uuid.uuid4().hex}\n", b""
        # A command that reads its input must not get the next block.
        self._stdin.write(f"{{\n{commands}\n}} </dev/null\nprintf '{end}'\n".encode())
        self._stdin.flush()
        while not printed.endswith(end.encode()):
            readable, _, _ = select.select([self._stdout], [], [], SILENT_SECONDS)
            more = os.read(self._stdout.fileno(), 2**16) if readable else b""
            assert more, f"{'has ended the shell' if readable else 'is not done'}: {commands}\n{printed.decode()}"
            printed += more
        return printed.decode().removesuffix(end).removesuffix("\n")


@contextlib.contextmanager
def bash(folder: Path, environment: Mapping[str, str]) -> Iterator[Shell]:
    """Run a bash in this folder; whatever it has left running in the background is ended with it."""
    with subprocess.Popen(
        ["/usr/bin/env", "bash", "--noprofile", "--norc"],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            yield Shell(process)
        finally:
            members = tree.freeze(process.pid)
            tree.kill(members)
            process.wait()
            assert not tree.wait_gone(members, STOP_SECONDS)
