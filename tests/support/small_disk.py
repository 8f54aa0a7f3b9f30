"""A disk that can be filled."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """Mount a disk of this size at the folder; where that cannot be done, the test is skipped."""
    command = ["/usr/bin/env", "mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["/usr/bin/env", "umount", "--lazy", str(folder)], check=True)


def fill(disk: Path, free_bytes: int) -> None:
    """Fill the disk until so much is free."""
    piece = bytes(2**20)
    with (disk / "filler").open("wb", buffering=0) as filler:
        while (left := shutil.disk_usage(disk).free - free_bytes) > 0:
            filler.write(piece[:left])
