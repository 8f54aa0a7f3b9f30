"""A small OTLP sink: a server that takes spans as protobuf over HTTP, and keeps them."""

import contextlib
import gzip
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from todo_stack.ports import HOST

PATH = "/v1/traces"


@dataclass(frozen=True)
class SpanRecord:
    """A span as it was sent: times in nanoseconds since the epoch, ids in hexadecimal, no parent as an empty text."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: str
    service: str
    process: str
    """Which process has sent it, if it says so."""
    begin: int
    end: int
    failed: bool
    message: str
    """Why it failed, if it says so."""
    attributes: dict[str, Any]
    events: tuple[str, ...]
    text: str = field(repr=False)
    """All that was sent of it."""


class Sink:
    """The spans that were sent so far. Any thread may ask."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._spans: list[SpanRecord] = []
        self._lock = threading.Lock()

    def take(self, body: bytes) -> None:
        """Keep the spans of an export; raises google.protobuf.message.DecodeError if it is none."""
        request = ExportTraceServiceRequest.FromString(body)
        spans = [
            _recorded(span, _values(resource.resource.attributes))
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        with self._lock:
            self._spans += spans

    def spans(self, trace_id: str = "") -> list[SpanRecord]:
        """Return what has come of a trace, or of all, in the order in which it began."""
        with self._lock:
            chosen = [span for span in self._spans if trace_id in ("", span.trace_id)]
        return sorted(chosen, key=lambda span: span.begin)


@contextlib.contextmanager
def listening() -> Iterator[Sink]:
    """Return a sink that listens on a free port until the end."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.path == PATH:
                sink.take(gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body)
            self.send_response(200 if self.path == PATH else 404)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        log_message: Callable[..., None] = lambda *_: None

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        server.daemon_threads = True
        sink = Sink(f"http://{HOST}:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield sink
        finally:
            server.shutdown()
            thread.join()


def _recorded(span: Span, resource: dict[str, Any]) -> SpanRecord:
    return SpanRecord(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        name=span.name,
        kind=Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        service=str(resource.get("service.name", "")),
        process=str(resource.get("service.instance.id", "")),
        begin=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        failed=span.status.code == Status.StatusCode.STATUS_CODE_ERROR,
        message=span.status.message,
        attributes=_values(span.attributes),
        events=tuple(event.name for event in span.events),
        text=str(span),
    )


def _values(attributes: Iterable[KeyValue]) -> dict[str, Any]:
    return {each.key: _value(each.value) for each in attributes}


def _value(value: AnyValue) -> object:
    return getattr(value, value.WhichOneof("value") or "string_value")
