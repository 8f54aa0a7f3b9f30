"""The data folder of a stack is recognised, and nothing of anybody else is touched."""

import re
from pathlib import Path

import pytest

from todo_stack.data_folder import MARK, VERSION, check_ours, check_removable, held
from todo_stack.errors import StackError


def content(folder: Path) -> dict[str, str]:
    """Return what is in a folder."""
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def test_new_folder_gets_the_mark(tmp_path: Path) -> None:
    """A folder that is not there, or is empty, is made ours, and is recognised the next time."""
    for folder in (tmp_path, tmp_path / "a" / "new"):
        for _ in range(2):
            with held(folder):
                assert (folder / MARK).read_text() == f"{VERSION}\n"
                assert folder.stat().st_mode & 0o777 == 0o700


OURS = {
    "a stack": ["processes.json", "restate-identity.pem", "secret_key"],
    "a stack, with something else": ["secret_key", "up.log"],
    "a start that was interrupted": ["secret_key.new"],
    "results of other commands alone": ["bench", "compare", "lab", "trace"],
}


@pytest.mark.parametrize("names", OURS.values(), ids=OURS)
def test_folder_without_a_mark(tmp_path: Path, names: list[str]) -> None:
    """A folder from before there was a mark gets it, and everything in it stays."""
    (tmp_path / "lock").touch()
    for name in names:
        (tmp_path / name).write_text(name)
    with held(tmp_path):
        there = content(tmp_path)
    assert there == {MARK: f"{VERSION}\n", "lock": there["lock"], **{name: name for name in names}}


@pytest.mark.parametrize("version", [VERSION + 1, "", "nonsense"])
def test_folder_of_another_version(tmp_path: Path, version: object) -> None:
    """A folder in a format that is not known here is left alone, and the start says in one line what to do."""
    (tmp_path / MARK).write_text(f"{version}\n")
    with pytest.raises(StackError, match="use the version that made it") as refused, held(tmp_path):
        pass
    assert "\n" not in str(refused.value)
    assert content(tmp_path) == {MARK: f"{version}\n"}


@pytest.mark.parametrize("names", [["thesis.txt"], ["lock", "thesis.txt"], ["bench", "src"], ["postgres"]])
def test_folder_of_somebody_else(tmp_path: Path, names: list[str]) -> None:
    """A folder with something else in it is neither used nor written to; the start and the reset say so."""
    for name in names:
        (tmp_path / name).write_text("")
    refusal = f"^{re.escape(str(tmp_path))} holds something that is not ours"
    with pytest.raises(StackError, match=refusal), held(tmp_path):
        pass
    with pytest.raises(StackError):
        check_ours(tmp_path)
    assert sorted(content(tmp_path)) == names


def test_only_a_folder_with_our_mark_is_removed(tmp_path: Path) -> None:
    """A reset takes a folder that has been held, no other one, and none that a link leads to."""
    for folder in (tmp_path / "new", tmp_path / "empty", tmp_path / "results" / "bench"):
        folder.mkdir(parents=True)
    with held(tmp_path / "new"):
        pass
    check_removable(tmp_path / "new")
    (tmp_path / "link").symlink_to(tmp_path / "new")
    for name in ("link", "empty", "results"):
        with pytest.raises(StackError, match="remove it yourself"):
            check_removable(tmp_path / name)
