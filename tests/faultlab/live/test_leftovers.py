"""What an earlier lab has left is removed, and nothing else."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.faultlab.live.__main__ import remove_data
from tests.support.waiting import until
from todo_stack import data_folder
from todo_stack.errors import StackError
from todo_stack.paths import REPOSITORY
from todo_stack.twins import OUTSIDE_WORLD, TWINS, Twin

END_SECONDS = 20
"""Sooner than they end by themselves."""

KILLED = """
import os, subprocess, sys, time
from pathlib import Path
from tests.faultlab.live.watchdog import watched
from todo_stack import data_folder
data = Path(sys.argv[1])
with data_folder.locked(data), watched(data):
    env = os.environ | data_folder.mark_of(data / sys.argv[2])
    print(subprocess.Popen([sys.argv[3], "60"], env=env).pid, flush=True)
    time.sleep(60)
"""
"""A lab with one server, on the folder that is its first argument."""


@pytest.mark.parametrize("twin", TWINS)
def test_killed_lab(tmp_path: Path, twin: Twin) -> None:
    """A lab that is killed with -9 leaves no server, though nobody starts another one."""
    command = [sys.executable, "-c", KILLED, str(tmp_path), twin.key, shutil.which("sleep") or ""]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as lab:
        assert lab.stdout
        server = psutil.Process(int(lab.stdout.readline()))
        assert server.is_running()
        lab.kill()
    until(
        lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE, "the end of the server", END_SECONDS
    )


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
