"""Where there is no Docker, what needs it says so."""

import os
import subprocess
from pathlib import Path

import pytest


@pytest.mark.parametrize("target", ["up-basic", "up-restate", "deploy"])
def test_one_line_says_so(repository: Path, target: str) -> None:
    """Where Docker does not answer, `make ... DOCKER=1` says so in its first line, and what to do without it."""
    env = {**os.environ, "DOCKER_HOST": "unix:///nonexistent/docker.sock"}
    done = subprocess.run(
        ["/usr/bin/env", "make", "--silent", target, "DOCKER=1"],
        cwd=repository,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert done.stderr.startswith("Docker is needed for this")
    assert "Without it: make up-basic" in done.stderr.splitlines()[0]
