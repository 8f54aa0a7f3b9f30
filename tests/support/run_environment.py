"""The record of a run: when it was, on which machine, and of which code and versions."""

import contextlib
import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

from tests.support.write_path import PACKAGES, restate_version, write_path_hash
from todo_stack.files import write_whole
from todo_stack.paths import REPOSITORY
from todo_stack.postgres import find_binaries

MAIN_VERSIONS = ("PostgreSQL", "Restate", "Python", "Flask")
"""Those that a reader wants to know of any run."""


class Record(BaseModel):
    """A part of what is kept as JSON: nothing else is taken for it."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Machine(Record):
    """Where a run was made."""

    cores: int
    memory_gib: float
    system: str


class RunRecord(Record):
    """A whole run: when, on what, and of which code."""

    started: datetime
    seconds: float
    machine: Machine
    versions: dict[str, str]
    write_path: str
    """The hash of the twins' code that was measured."""

    def write(self, path: Path) -> None:
        """Write it as JSON, in one step: a reader sees the old file or the new one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, f"{self.model_dump_json(exclude_defaults=True)}\n".encode())

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what was written."""
        return cls.model_validate_json(path.read_bytes())

    @classmethod
    def latest(cls, paths: Sequence[Path]) -> Self | None:
        """Return the latest run among these files, if there is one that can still be read."""
        runs = []
        for path in paths:
            # An older version may have written a record with other fields.
            with contextlib.suppress(FileNotFoundError, ValidationError):
                runs.append(cls.read(path))
        return max(runs, key=lambda run: run.started, default=None)


def machine() -> Machine:
    """Return what this runs on."""
    memory = psutil.virtual_memory().total / 2**30
    return Machine(
        cores=os.cpu_count() or 1, memory_gib=round(memory, 1), system=f"{platform.system()} {platform.machine()}"
    )


def versions(names: Iterable[str]) -> dict[str, str]:
    """Return the versions of the Restate server, of Python, and of the packages with these names."""
    packages = {name: importlib.metadata.version(name) for name in names}
    return {"Restate": restate_version(REPOSITORY), "Python": platform.python_version(), **packages}


def started_now() -> dict[str, Any]:
    """Return when a run starts, on what, and of which code: fields of its record."""
    postgres = subprocess.run([find_binaries() / "postgres", "--version"], capture_output=True, text=True, check=True)
    return {
        "started": datetime.now(UTC),
        "machine": machine(),
        "versions": {"PostgreSQL": postgres.stdout.split()[2], **versions(PACKAGES)},
        "write_path": write_path_hash(REPOSITORY),
    }
