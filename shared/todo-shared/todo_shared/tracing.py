"""Traces by OpenTelemetry, if OTEL_EXPORTER_OTLP_ENDPOINT is set: requests, statements and COMMIT, calls of others.

Without that, nothing of OpenTelemetry is imported. Its own settings, OTEL_*, are read by its packages.
"""

import os
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from flask import Flask

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.sampling import Sampler

NOT_TRACED = "/healthz,/readyz,/metrics,/static/"
"""What is asked for every few seconds, or says nothing about a write."""

LAST_SECONDS = 1.0


def wanted() -> bool:
    """Return whether there is anybody to send traces to."""
    return bool(os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"))


def instrument(app: Flask | None = None) -> None:
    """Let this process make spans, of an application's requests too; they go nowhere until start()."""
    if not wanted():
        return
    from opentelemetry.instrumentation.flask import FlaskInstrumentor
    from opentelemetry.instrumentation.psycopg2 import Psycopg2Instrumentor
    from opentelemetry.instrumentation.requests import RequestsInstrumentor

    if app:
        FlaskInstrumentor().instrument_app(app, excluded_urls=NOT_TRACED)  # type: ignore[no-untyped-call]
    # Both are one for each process, which may have several applications.
    if not RequestsInstrumentor().is_instrumented_by_opentelemetry:
        RequestsInstrumentor().instrument()
        Psycopg2Instrumentor().instrument()
        _trace_commits()


def start(service: str) -> None:
    """Send the spans of this process from now on. A thread does it, which does not survive a fork."""
    if not wanted():
        return
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    from todo_shared.redaction import RedactingExporter

    name = os.environ.get("OTEL_SERVICE_NAME") or service
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: name}), shutdown_on_exit=False)
    provider.sampler = of_requests(provider.sampler)
    provider.add_span_processor(BatchSpanProcessor(RedactingExporter(OTLPSpanExporter())))
    trace.set_tracer_provider(provider)


def stop() -> None:
    """Send the spans that still wait, but let nobody who is away keep this process for longer than a second."""
    if not wanted():
        return
    from opentelemetry import trace

    sending = threading.Thread(target=getattr(trace.get_tracer_provider(), "shutdown", int), daemon=True)
    sending.start()
    sending.join(LAST_SECONDS)


def _trace_commits() -> None:
    """Make a span of each COMMIT, which psycopg2's instrumentation does not see."""
    from opentelemetry import trace
    from sqlalchemy.dialects.postgresql.psycopg2 import PGDialect_psycopg2
    from wrapt import wrap_function_wrapper

    tracer = trace.get_tracer(__name__)

    def commit(do_commit: Callable[[object], None], _dialect: object, connection: tuple[object], _: object) -> None:
        with tracer.start_as_current_span("COMMIT", kind=trace.SpanKind.CLIENT, attributes={"db.system": "postgresql"}):
            do_commit(*connection)

    wrap_function_wrapper(PGDialect_psycopg2, "do_commit", commit)


def of_requests(chosen: "Sampler") -> "Sampler":
    """Return a sampler that begins traces with requests and handlers, of which it takes those that `chosen` takes.

    What runs by itself, such as looking for reminders that are due, would be a trace of its own each second.
    """
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Sampler, SamplingResult
    from opentelemetry.trace import Link, SpanKind, TraceState, get_current_span
    from opentelemetry.util.types import Attributes

    class OfRequests(Sampler):
        def should_sample(
            self,
            parent_context: Context | None,
            trace_id: int,
            name: str,
            kind: SpanKind | None = None,
            attributes: Attributes = None,
            links: Sequence[Link] | None = None,
            trace_state: TraceState | None = None,
        ) -> SamplingResult:
            begins = not get_current_span(parent_context).get_span_context().is_valid
            sampler = ALWAYS_OFF if begins and kind is not SpanKind.SERVER else chosen
            return sampler.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

        def get_description(self) -> str:
            return chosen.get_description()

    return OfRequests()
