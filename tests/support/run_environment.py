"""What a measurement ran on: the machine, and the versions of what was measured."""

import importlib.metadata
import json
import os
import platform
from collections.abc import Iterable
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict

_REPOSITORY = Path(__file__).resolve().parents[2]


class Machine(BaseModel):
    """Where a run was made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cores: int
    memory_gib: float
    system: str


def machine() -> Machine:
    """Return what this runs on."""
    memory = psutil.virtual_memory().total / 2**30
    return Machine(
        cores=os.cpu_count() or 1, memory_gib=round(memory, 1), system=f"{platform.system()} {platform.machine()}"
    )


def versions(names: Iterable[str]) -> dict[str, str]:
    """Return the versions of the Restate server, of Python, and of the packages with these names."""
    lock = json.loads((_REPOSITORY / "flask-todo-restate" / "package-lock.json").read_text())
    server = lock["packages"]["node_modules/@restatedev/restate-server"]["version"]
    packages = {name: importlib.metadata.version(name) for name in names}
    return {"Restate": server, "Python": platform.python_version(), **packages}
