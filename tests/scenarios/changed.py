"""A server that runs changed for a while: with another command, another environment, or on another disk."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from todo_stack.process import Server

DISK_BYTES = 256 * 1024 * 1024
"""More than the data of a scenario, and little of the memory that the disk is made of."""


@contextlib.contextmanager
def changed(server: Server, **attributes: object) -> Iterator[None]:
    """Restart a server with these attributes, and afterwards as it was."""
    before = {name: getattr(server, name) for name in attributes}
    try:
        _restart(server, attributes)
        yield
    finally:
        _restart(server, before)


class SmallDisk:
    """A disk of its own for the data of a server."""

    def __init__(self, folder: Path) -> None:
        """Take the folder at which it is mounted."""
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Leave no byte on it, once more if it is called again: a server may have given some back."""
        with self._filler.open("ab", buffering=0) as filler, contextlib.suppress(OSError):
            while True:
                filler.write(bytes(2**16))

    def free(self) -> None:
        """Give back what fill() took."""
        self._filler.unlink()


@contextlib.contextmanager
def on_small_disk(server: Server, data: Path, mount_point: Path) -> Iterator[SmallDisk]:
    """Restart a server with its data folder on a disk of its own, and afterwards where it was, with what it has then.

    Skips the test where none may be mounted: that takes root on Linux, and in a container the right to mount.
    """
    mount_point.mkdir()
    if os.geteuid() or not _run("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", mount_point):
        pytest.skip("no disk can be mounted here: run it as root on Linux, in a container with --cap-add SYS_ADMIN")
    there = mount_point / data.name
    try:
        server.stop()
        _move(data, there)
        data.symlink_to(there)
        server.start()
        yield SmallDisk(mount_point)
    finally:
        server.kill()
        data.unlink()
        _move(there, data)
        assert _run("umount", mount_point)
        server.start()


def _move(source: Path, target: Path) -> None:
    # With its owner, which shutil would not keep.
    assert _run("cp", "-a", source, target)
    shutil.rmtree(source)


def _run(*command: str | Path) -> bool:
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0


def _restart(server: Server, attributes: Mapping[str, object]) -> None:
    server.stop()
    for name, value in attributes.items():
        setattr(server, name, value)
    server.start()
