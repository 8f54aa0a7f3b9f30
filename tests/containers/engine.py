"""Whether there is a container engine, and which images the compose files run."""

import json
import subprocess

import pytest

from todo_stack.paths import REPOSITORY
from todo_stack.twins import RESTATE


def needed() -> None:
    """Skip the test that calls this where there is no engine."""
    try:
        # The plugin asks the engine.
        _compose("ls")
    except (OSError, subprocess.SubprocessError):
        pytest.skip("no container engine: docker compose does not answer")


def image(service: str) -> str:
    """Return the image of a service of the Restate twin's compose file."""
    return str(json.loads(_compose("config", "--format", "json"))["services"][service]["image"])


def _compose(*command: str) -> str:
    return subprocess.run(
        ["/usr/bin/env", "docker", "compose", *command],
        cwd=REPOSITORY / RESTATE.title,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout
