"""Spans of calls, handlers and steps, in the trace of the request that called, if OTEL_EXPORTER_OTLP_ENDPOINT is set.

The application sets OpenTelemetry's provider. Restate passes the trace on, with a span of its own for each attempt, if
it has RESTATE_TRACING_ENDPOINT. Where the endpoint is not set, or OpenTelemetry is not installed, nothing of it is
imported.
"""

import functools
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TypeVar, cast

import requests
from restate.extensions import current_context
from restate.server_context import ServerInvocationContext

T = TypeVar("T")

ON = False

if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
    with suppress(ImportError):
        from opentelemetry import propagate, trace

        _tracer = trace.get_tracer(__name__)
        ON = True


def call(send: Callable[[Mapping[str, str]], requests.Response], method: str, endpoint: str) -> requests.Response:
    """Send a request in a span of its own, with headers that tell Restate of it, and return the answer."""
    attributes = {"http.request.method": method, "url.full": endpoint}
    with _tracer.start_as_current_span(method, kind=trace.SpanKind.CLIENT, attributes=attributes) as span:
        headers: dict[str, str] = {}
        propagate.inject(headers)
        if told := headers.get("traceparent"):
            # Only whether it is sampled: for more than that, such as a random id, Restate forgets the trace.
            ids, flags = told.rsplit("-", 1)
            headers["traceparent"] = f"{ids}-{int(flags, 16) & 1:02x}"
        answer = send(headers)
        span.set_attribute("http.response.status_code", answer.status_code)
        if answer.status_code >= requests.codes.bad_request:
            span.set_status(trace.StatusCode.ERROR)
        return answer


@asynccontextmanager
async def handler() -> AsyncIterator[None]:
    """Make the span of a handler: one for each attempt, below Restate's span of it."""
    context = cast(ServerInvocationContext, current_context())
    called, request = context.handler, context.request()
    with _tracer.start_as_current_span(
        f"{called.service_tag.name}/{called.name}",
        propagate.extract(request.attempt_headers),
        trace.SpanKind.SERVER,
        {"restate.invocation.id": request.id},
    ):
        yield


def step(action: Callable[[], T]) -> Callable[[], T]:
    """Return a step that is a span of its own, with the name of the function; as it is if there are no spans."""
    if not ON:
        return action

    @functools.wraps(action)
    def traced() -> T:
        with _tracer.start_as_current_span(action.__name__):
            return action()

    return traced


def tell(event: str) -> None:
    """Add something that has happened to the current span."""
    if ON:
        trace.get_current_span().add_event(event)
