"""Traces are made where they are wanted, and are free where they are not. tests/trace follows one through all."""

import subprocess
import sys
from pathlib import Path

import pytest

from flask_restate.identity import public_key
from tests.suite.test_settings import GOOD, KEY

EACH_PROCESS = """
import psycopg2, sys
from flask_todo import app
from flask_todo_restate import app as durable_app, restate_server
from todo_shared import tracing
app.create_app(), durable_app.create_app()
tracing.instrument(), tracing.start("a service")
print("opentelemetry" in sys.modules, hasattr(psycopg2.connect, "__wrapped__"))
"""


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ({}, "False False"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, "False False"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}, "True True"),
    ],
    ids=["not set", "empty", "set"],
)
def test_off_is_free(tmp_path: Path, endpoint: dict[str, str], expected: str) -> None:
    """Without an endpoint nothing of OpenTelemetry is imported by any process, and nothing is patched."""
    env = {**GOOD, KEY: public_key(tmp_path / "identity.pem"), **endpoint}
    command = [sys.executable, "-c", EACH_PROCESS]
    process = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=True)
    assert process.stdout.strip() == expected
