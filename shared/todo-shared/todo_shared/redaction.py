"""Spans without what users have typed: a collector and its readers need not be allowed to see the todos.

Texts of errors may have it (PostgreSQL's DETAIL is a row), and so may whatever a client chooses, and the path of a
webhook, which is often a secret. Of an error its type stays, of a request its route, of a statement its placeholders.
"""

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.util.types import AttributeValue

ERROR_TYPE = "exception.type"
OF_AN_ERROR = {"exception.message", "exception.stacktrace"}
OF_A_REQUEST = {
    *("http.target", "url.path", "url.query", "http.user_agent", "user_agent.original"),
    *("http.request.method_original", "http.host", "net.host.name"),
}
"""Attributes that a client chooses, with the names of both generations of OpenTelemetry's conventions."""
HOST = "server.address"
"""What a server was called by its client; or whom a client has called, which stays."""
URLS = {"http.url", "url.full"}


class RedactingExporter(SpanExporter):
    """Hands spans on to another exporter, without what users have typed."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export what is left of the spans."""
        return self._exporter.export([redacted(span) for span in spans])

    def shutdown(self) -> None:
        """End the other exporter."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Let the other exporter send what it has; return whether it has done so in time."""
        return self._exporter.force_flush(timeout_millis)


def redacted(span: ReadableSpan) -> ReadableSpan:
    """Return a copy without what users have typed. The span itself may have other readers."""
    attributes, name = _kept(span.attributes), span.name
    if span.kind is SpanKind.SERVER:
        for chosen in (HOST, *URLS):
            attributes.pop(chosen, None)
        if "http.route" not in attributes and any(key.startswith("http.") for key in attributes):
            # There is no such page, and the name is the method and the path that the client has asked for.
            name = name.partition(" ")[0]
    events = [Event(event.name, _kept(event.attributes), event.timestamp) for event in span.events]
    code, reason = span.status.status_code, None
    if code is StatusCode.ERROR:
        errors = [kept[ERROR_TYPE] for event in events if ERROR_TYPE in (kept := event.attributes or {})]
        reason = str(errors[-1]).rpartition(".")[2] if errors else None
    return ReadableSpan(
        name=name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=attributes,
        events=events,
        links=span.links,
        kind=span.kind,
        status=Status(code, reason),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _kept(attributes: Mapping[str, AttributeValue] | None) -> dict[str, AttributeValue]:
    kept = {key: value for key, value in (attributes or {}).items() if key not in OF_AN_ERROR | OF_A_REQUEST}
    return kept | {key: _origin(str(kept[key])) for key in URLS & kept.keys()}


def _origin(url: str) -> str:
    """Return a URL without its path and all that follows, and without a password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
