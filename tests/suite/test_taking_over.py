"""Data that another user has is taken over as a copy, in which nothing of that user's is left, and nothing is lost."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from todo_stack.errors import StackError
from todo_stack.output import no_log
from todo_stack.process import Step
from todo_stack.taking_over import take_over
from todo_stack.unprivileged import Commands, copy_of

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root takes over what another user has")

NOBODY = 65_534


def run_step(name: str, command: Sequence[str], env: Mapping[str, str], seconds: float) -> None:
    """Run a step."""
    Step(name, command, dict(env), no_log, cwd=Path("/"), limit_seconds=seconds).run()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Data of nobody's."""
    data = tmp_path / "parent" / "data"
    (data / "base").mkdir(mode=0o700, parents=True)
    (data / "base" / "file").write_text("data")
    give(data)
    return data


@pytest.fixture
def start(tmp_path: Path, data: Path) -> Callable[[], Commands]:
    """Take the data over, as each start does."""
    (tmp_path / "wheel" / "bin").mkdir(parents=True)
    (tmp_path / "wheel" / "bin" / "initdb").symlink_to("/bin/true")

    def start() -> Commands:
        commands = Commands(tmp_path / "wheel" / "bin", data, no_log)
        take_over(data, commands, run_step, no_log)
        return commands

    return start


def give(folder: Path, user: int = NOBODY) -> None:
    """Let a user own a folder and what is in it, and not what that leads to."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user, user, follow_symlinks=False)


def beside(data: Path) -> list[str]:
    """Return the names of what is in the folder with the data."""
    return sorted(path.name for path in data.parent.iterdir())


def test_open_files_stay_behind(start: Callable[[], Commands], data: Path) -> None:
    """Who had a file open before the data was taken over has that one, and not the one that is used from then on."""
    (data / "base" / "file").chmod(0o666)
    with (data / "base" / "file").open("a") as kept_open:
        commands = start()
        kept_open.write("planted")
    assert {commands.owns(path) for path in (data, *data.rglob("*"))} == {True}
    assert (data / "base" / "file").read_text() == "data"
    assert {path.stat().st_mode & 0o077 for path in (data, *data.rglob("*"))} == {0}
    assert beside(data) == ["data"]


@pytest.mark.parametrize("reached", ["new", "copied", "old"])
def test_interrupted(start: Callable[[], Commands], data: Path, reached: str) -> None:
    """What was interrupted is gone on with, or begun anew, by one more start; no data is lost."""
    staging = copy_of(data).parent
    staging.mkdir()
    if reached == "new":
        (staging / "new").mkdir()
        (staging / "new" / "half").touch()
    else:
        shutil.copytree(data, staging / "copied")
        give(staging / "copied", 61_500)
    if reached == "old":
        data.rename(staging / "old")
    assert start().owns(data)
    assert (data / "base" / "file").read_text() == "data"
    assert beside(data) == ["data"]


def test_folders_of_others_stay(start: Callable[[], Commands], data: Path) -> None:
    """A copy that the user has made beside the data, whatever its name is, is not taken for ours."""
    names = ["data.copied", "data.new", "data.old"]
    for name in names:
        (data.parent / name).mkdir()
    start()
    assert beside(data) == sorted(["data", *names])


@pytest.mark.parametrize(
    ("kind", "found"), [("link", "odd"), ("fifo", "odd"), ("deep", "odd/deep"), ("lines", "a\\\\nb")]
)
def test_what_leads_elsewhere(start: Callable[[], Commands], data: Path, tmp_path: Path, kind: str, found: str) -> None:
    """Data with something that PostgreSQL has not made is refused and stays as it was; its name gives no orders."""
    odd = data / "odd"
    makes: dict[str, Callable[[], object]] = {
        "link": lambda: odd.symlink_to(tmp_path),
        "fifo": lambda: os.mkfifo(odd),
        "deep": lambda: odd.joinpath(*["deep"] * 20).mkdir(parents=True),
        "lines": lambda: (data / "a\nb").symlink_to(tmp_path),
    }
    makes[kind]()
    give(data)
    with pytest.raises(StackError, match=f"PostgreSQL has not made '{found}"):
        start()
    assert data.stat().st_uid == NOBODY
    assert (data / "base" / "file").read_text() == "data"
    assert tmp_path.stat().st_uid == 0
    assert beside(data) == ["data"]


def test_second_name(start: Callable[[], Commands], data: Path, tmp_path: Path) -> None:
    """A file that has a second name elsewhere is another one in the copy, and the first stays whose it was."""
    ours = tmp_path / "ours"
    ours.write_text("important")
    ours.chmod(0o600)
    os.link(ours, data / "odd")
    start()
    assert ours.stat().st_nlink == 1
    assert (ours.read_text(), ours.stat().st_uid, ours.stat().st_mode & 0o777) == ("important", 0, 0o600)
    assert (data / "odd").stat().st_mode & 0o077 == 0


def test_server_still_works(start: Callable[[], Commands], data: Path) -> None:
    """Data in which a process works is not copied: what that still writes would be lost."""
    with (
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, cwd=data / "base") as process,
        pytest.raises(StackError, match=f"process {process.pid} of user 0 works in"),
    ):
        start()
    assert beside(data) == ["data"]
    assert start().owns(data)


def test_staging_of_another(start: Callable[[], Commands], data: Path) -> None:
    """What another user has put where the copy is made is not taken for it."""
    (copy_of(data) / "base").mkdir(parents=True)
    give(copy_of(data).parent)
    with pytest.raises(StackError, match="is not ours"):
        start()
    assert (data / "base" / "file").read_text() == "data"


def test_leftovers_are_removed(start: Callable[[], Commands], data: Path) -> None:
    """What an interrupted start has left beside data that is taken over goes with the next one."""
    start()
    (copy_of(data).parent / "old").mkdir(parents=True)
    start()
    assert beside(data) == ["data"]
