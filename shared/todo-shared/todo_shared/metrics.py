"""Whether this process is measured, and what a scrape asks others for. If it is not, nothing of this costs anything."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from todo_shared.settings import DatabaseSettings, SettingsError


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


GAUGES: Final = "liveall"
"""How the client counts gauges of several processes: each by itself, as long as it lives."""

ROOM_BYTES = 2**18
"""What a process reserves for each of its files: a label set takes some hundred bytes."""

_folder: tuple[Path, int] | None = None
"""Where the processes of this program count together, and the process that made it."""


def prepare(settings: DatabaseSettings) -> None:
    """Let this process and those that are forked from it count together, if METRICS_PORT is set.

    Each start has a folder of its own, which nobody else can open. What is killed leaves it behind.
    Raises SettingsError: there is no place for it.
    """
    global _folder
    if settings.metrics_port is None:
        return
    try:
        _folder = Path(tempfile.mkdtemp(prefix="todo-metrics-")), os.getpid()
    except OSError as error:
        raise SettingsError(f"METRICS_PORT needs a folder for temporary files: {error}") from None
    # Prometheus' client reads it when it is imported.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_folder[0])
    atexit.register(remove)


def reserve() -> None:
    """Reserve the room in which this process counts. Raises OSError: there is none.

    The client maps its files into memory, and one that turned out to have no room on the disk would end the process.
    """
    if _folder:
        for kind in ("counter", "histogram", f"gauge_{GAUGES}"):
            (_folder[0] / f"{kind}_{os.getpid()}.db").write_bytes(bytes(ROOM_BYTES))


def folder() -> Path | None:
    """Return where this process counts together with others; None if it is not measured."""
    return _folder and _folder[0]


def remove() -> None:
    """Remove the folder at the end of the process that made it. Those that were forked from it end, too."""
    if _folder and _folder[1] == os.getpid():
        shutil.rmtree(_folder[0], ignore_errors=True)


def forget_gauges(pid: int) -> None:
    """Remove what a process that has ended was at last; what it has counted stays."""
    for file in _folder[0].glob(f"gauge_{GAUGES}_{pid}.db") if _folder else ():
        file.unlink(missing_ok=True)
