"""Whether this process is measured, and what a scrape asks others for. If it is not, nothing of this costs anything."""

import atexit
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from todo_shared.settings import DatabaseSettings, SettingsError

# Prometheus' client reads it, too, when it is imported: several processes count together through files.
_FOLDER = "PROMETHEUS_MULTIPROC_DIR"


class Measured(NamedTuple):
    """A gauge's value at this moment."""

    name: str
    help: str
    value: float
    labels: Mapping[str, str] = {}


@dataclass
class Asked:
    """What a scrape asks others for. Who does not answer is told by todo_up; the rest is there all the same."""

    statements: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By the name of a gauge: its help, and the statement that the database answers with its value."""
    parts: dict[str, Callable[[], Iterable[Measured]]] = field(default_factory=dict)
    """By the name of what is asked. These raise OSError, LookupError or ValueError if there is no answer."""


def prepare(settings: DatabaseSettings, port: int) -> None:
    """Let the processes that are forked from this one count together, if METRICS_PORT is set.

    `port` is the one that it serves on: it names a folder that no other process has. Raises SettingsError: that folder
    is somebody else's.
    """
    if settings.metrics_port is None:
        return
    folder = Path(tempfile.gettempdir()) / f"todo-metrics-{os.getuid()}-{port}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise SettingsError(f"METRICS_PORT: {folder} is somebody else's. Please remove it.")
    os.environ[_FOLDER] = str(folder)
    atexit.register(_remove, folder, os.getpid())


def _remove(folder: Path, owner: int) -> None:
    # The processes that were forked from the owner end, too.
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def is_shared() -> bool:
    """Return whether several processes count together, of which this is one."""
    return _FOLDER in os.environ


def forget_earlier() -> None:
    """Remove what earlier processes have counted, once nobody else can have the port."""
    if is_shared():
        for file in Path(os.environ[_FOLDER]).iterdir():
            file.unlink(missing_ok=True)


def forget_gauges(pid: int) -> None:
    """Remove what a process that has ended was at last; what it has counted stays."""
    if is_shared():
        for file in Path(os.environ[_FOLDER]).glob(f"gauge_live*_{pid}.db"):
            file.unlink(missing_ok=True)
