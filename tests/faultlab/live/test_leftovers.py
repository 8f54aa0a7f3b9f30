"""What an earlier lab has left is removed, and nothing else."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.faultlab.live.__main__ import remove_data
from todo_stack import data_folder
from todo_stack.errors import StackError
from todo_stack.twins import OUTSIDE_WORLD

END_SECONDS = 20
"""Sooner than they end by themselves."""


def test_left_by_a_killed_lab(tmp_path: Path) -> None:
    """What a killed lab has left running on its folder ends before the folder is removed; a stranger's folder stays."""
    ours, foreign = tmp_path / "plain", tmp_path / "other"
    for folder in (ours, foreign):
        folder.mkdir()
    (foreign / "thesis").write_text("mine")
    sleep = shutil.which("sleep") or ""
    left = [
        subprocess.Popen([sleep, "60"], env={**os.environ, **data_folder.mark_of(marked)})
        for marked in (ours, ours / OUTSIDE_WORLD)
    ]
    remove_data(ours)
    for process in left:
        process.wait(END_SECONDS)
    assert not ours.exists()
    with pytest.raises(StackError, match="not ours"):
        remove_data(foreign)
    assert (foreign / "thesis").exists()
