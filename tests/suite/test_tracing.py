"""Traces are made where they are wanted, and are free where they are not. tests/trace follows one through all."""

import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler
from opentelemetry.trace import SpanKind

from flask_restate.identity import public_key
from tests.suite.test_settings import GOOD, KEY
from todo_shared.tracing import of_requests

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


WITHOUT_PACKAGES = """
import sys
sys.modules[sys.argv[1]] = None
from flask_restate import FlaskRestate, durable_service, serve, tracing, translated
durable_service("a service")
tracing.tell("an event")
print(tracing.ON, translated(lambda: "done")())
"""


@pytest.mark.parametrize("missing", ["opentelemetry", "opentelemetry.trace"])
def test_flask_restate_needs_no_opentelemetry(missing: str) -> None:
    """Without its packages, or with a few of them that others have brought, there are no spans and all else works."""
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    command = [sys.executable, "-c", WITHOUT_PACKAGES, missing]
    process = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=True)
    assert process.stdout.strip() == "False done"


@pytest.mark.parametrize(
    ("chosen", "expected"), [(ALWAYS_ON, ["statement", "request"]), (ALWAYS_OFF, [])], ids=["on", "off"]
)
def test_what_runs_by_itself_is_no_trace(chosen: Sampler, expected: list[str]) -> None:
    """A trace begins with a request, if that is to be sampled; a job that looks into the database begins none."""
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.sampler = of_requests(chosen)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span("request", kind=SpanKind.SERVER):
        tracer.start_span("statement", kind=SpanKind.CLIENT).end()
    tracer.start_span("statement of a job", kind=SpanKind.CLIENT).end()
    assert [span.name for span in exporter.get_finished_spans()] == expected
