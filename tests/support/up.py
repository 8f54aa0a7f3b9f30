"""`python -m todo_stack up` in a process of its own, as make runs it."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from tests.support.waiting import until
from todo_stack.ports import Ports

DEADLINE_SECONDS = 60.0

COMMAND = (sys.executable, "-I", "-m", "todo_stack")


def settings_of(ports: Ports) -> dict[str, str]:
    """Return the settings that make `up` use these ports."""
    settings = {port.metadata["setting"]: str(getattr(ports, port.name)) for port in fields(ports)}
    return settings | {"RESTATE_ENDPOINT": ports.ingress_url, "RESTATE_ADMIN_URL": ports.admin_url}


@dataclass(frozen=True)
class Up:
    """A running `up`."""

    process: "subprocess.Popen[bytes]"
    ports: Ports
    data: Path
    log: Path


@contextlib.contextmanager
def up(which: str, folder: Path, environment: Mapping[str, str] | None = None) -> Iterator[Up]:
    """Run `up plain`, `restate` or `both` on free ports, with its data and log in this folder, until the end."""
    ports, log, data = Ports.free(), folder / "log", folder / "data"
    inherited = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    env = {**inherited, **(environment or {}), **settings_of(ports)}
    # A folder may be named as it is seen from here.
    command = [*COMMAND, "up", which, "--data", data.name]
    with (
        log.open("wb") as output,
        subprocess.Popen(command, env=env, cwd=folder, stdout=output, stderr=output) as process,
    ):
        try:
            until(lambda: _is_up(process, log), "the stack is up", DEADLINE_SECONDS)
            yield Up(process, ports, data, log)
        finally:
            process.terminate()
            process.wait(DEADLINE_SECONDS)


def _is_up(process: "subprocess.Popen[bytes]", log: Path) -> bool:
    said = log.read_text()
    assert process.poll() is None, said
    return "Ctrl-C stops everything" in said
