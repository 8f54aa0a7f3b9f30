"""A start that fails says why in one line: the cause, not what followed from it, and where to make room."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.small_disk import fill, small_disk
from tests.support.up import COMMAND, DEADLINE_SECONDS, settings_of, up
from todo_stack.data_folder import MARK, VERSION
from todo_stack.output import cause
from todo_stack.ports import Ports

CAUSES = {
    "PostgreSQL, full disk": (
        """
        LOG:  listening on IPv4 address "127.0.0.1", port 54320
        >FATAL:  could not write to file "pg_wal/xlogtemp.1": No space left on device
        LOG:  startup process (PID 1) exited with exit code 1
        LOG:  database system is shut down
        """
    ),
    "PostgreSQL, data": (
        """
        LOG:  database system was interrupted; last known up at 2026-01-01 00:00:00 UTC
        >PANIC:  could not locate a valid checkpoint record at 0/1
        HINT:  ERROR is a word of this hint.
        LOG:  startup process (PID 1) was terminated by signal 6: Aborted
        LOG:  database system is shut down
        """
    ),
    "initdb": (
        """
        >initdb: error: could not create directory "pg_wal": Permission denied
        initdb: removing contents of data directory "postgres.new"
        """
    ),
    "Restate": (
        """
        WARN restate_server: the configuration has a deprecated option
        >2026-01-01T00:00:00Z ERROR restate_server: failed: No space left on device (os error 28)
        2026-01-01T00:00:01Z ERROR restate_server: Restate application failed
        """
    ),
    "gunicorn": (
        """
        [1] [INFO] Starting gunicorn 27.0.1
        >[1] [ERROR] connection to ('127.0.0.1', 5040) failed: [Errno 98] Address already in use
        [1] [ERROR] Can't connect to ('127.0.0.1', 5040)
        """
    ),
    "Python": (
        """
        [1] [ERROR] Exception in worker process
        Traceback (most recent call last):
          File "one.py", line 1, in <module>
            two()
          File "two.py", line 1, in two
            raise RuntimeError("FATAL")
        >OperationalError: connection refused
        (Background on this error at: https://sqlalche.me/e/20/e3q8)
        [1] [ERROR] Worker failed to boot.
        """
    ),
    "a wrong setting": (
        """
        [1] [INFO] Starting
        >Wrong settings. PORT: Input should be a valid integer
        """
    ),
}


@pytest.mark.parametrize("output", CAUSES.values(), ids=CAUSES)
def test_cause(output: str) -> None:
    """The line that is marked is the cause."""
    lines = [line.removeprefix(" " * 8) for line in output.splitlines()]
    assert cause([line.removeprefix(">") for line in lines]) == next(line[1:] for line in lines if line.startswith(">"))


def test_nothing_said() -> None:
    """A process that printed nothing has said no cause."""
    assert cause([]) == cause(["", " "]) == ""


def todo_stack(*arguments: str) -> tuple[int, str]:
    """Return the exit code of a command, and the last line that it printed."""
    env = {**os.environ, **settings_of(Ports.free()), "DATABASE_URL": ""}
    command = [*COMMAND, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=DEADLINE_SECONDS, check=False)
    return done.returncode, (done.stdout + done.stderr).splitlines()[-1]


@pytest.mark.whole
def test_full_disk(tmp_path: Path) -> None:
    """A start on a full disk names the disk and what to do, with data and without; the data can still be removed."""
    with small_disk(tmp_path, 120) as disk:
        old, new = disk / "data", disk / "new"
        with up("plain", disk):
            pass
        for data, free_bytes in ((old, 0), (new, 0), (new, 2**20)):
            fill(disk, free_bytes)
            code, said = todo_stack("up", "plain", "--data", str(data))
            assert code == 1
            assert "No space left on device" in said
            assert said.endswith(f"Make room on the disk of {data}, or set TODO_DATA to a folder on another disk")
        fill(disk, 0)
        assert todo_stack("reset", "--data", str(old), "--yes") == (0, "removed")


@pytest.mark.parametrize("name", [MARK, "secret_key", "pgpass", "restate-identity.pem"])
@pytest.mark.parametrize("kind", ["other bytes", "a folder"])
def test_unreadable_file_of_ours(tmp_path: Path, name: str, kind: str) -> None:
    """A file of ours that cannot be read is named in the only line."""
    (tmp_path / MARK).write_text(f"{VERSION}\n")
    file = tmp_path / name
    file.unlink(missing_ok=True)
    if kind == "a folder":
        file.mkdir()
    else:
        file.write_bytes(b"\xff\xfe")
    code, said = todo_stack("up", "restate", "--data", str(tmp_path))
    assert code == 1
    assert said.startswith("error: ")
    assert str(file) in said
