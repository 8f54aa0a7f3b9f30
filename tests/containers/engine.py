"""Whether there is a container engine, and how it is asked."""

import functools
import subprocess

import pytest

RESTATE_IMAGE = "docker.restate.dev/restatedev/restate:1.7.12"
POSTGRES_IMAGE = "postgres:15"


@functools.cache
def problem() -> str | None:
    """Say why containers cannot be used here, if so."""
    for question in (["docker", "info"], ["docker", "compose", "version"]):
        try:
            answer = subprocess.run(question, capture_output=True, text=True, timeout=30, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return "no container engine: there is no docker that answers"
        if answer.returncode:
            return f"no container engine: {' '.join(question)} failed"
    return None


def needed() -> None:
    """Skip the test that calls this where there is no engine."""
    if reason := problem():
        pytest.skip(reason)
