"""Lets each twin add a todo, kills the process that writes between COMMIT and its answer, and collects the spans."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import requests
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.propagate import inject
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, format_trace_id, use_span

from tests.faultlab.laboratory import Laboratory
from tests.faultlab.wire.messages import Answer, Sent
from tests.support.history import ClientOperation, Outcome, Verdict
from tests.support.running_twin import RunningTwin, new_key
from tests.support.user import new_name, verdict_on
from tests.support.waiting import until
from tests.trace.sink import Sink, SpanRecord, listening
from todo_stack.errors import StopRequested
from todo_stack.output import Log
from todo_stack.twins import TWINS, Twin

CLICK = "click"
STATEMENTS = {twin: 2 if twin.durable else 1 for twin in TWINS}
"""How many rows an add inserts: the todo, and in the ledger."""
ATTEMPT = "invocation-attempt"
"""What Restate calls its span of an attempt."""
LAST = "invocation-end"
"""What Restate's last span of a call is called."""

SETTINGS = {
    # A span that was not sent when its process is killed is lost, so each is sent soon.
    "OTEL_BSP_SCHEDULE_DELAY": "50",
    # Longer than the service needs to start again, so that the answer is the result.
    "WRITE_BUDGET": "20",
    # Nobody gives up while the spans are waited for.
    **dict.fromkeys(("DB_SILENCE_TIMEOUT_SECONDS", "STEP_INACTIVITY_TIMEOUT_SECONDS"), "60"),
}


@dataclass(frozen=True)
class Followed:
    """An add in one twin. Times are nanoseconds since the epoch."""

    twin: Twin
    spans: Sequence[SpanRecord]
    """All of its trace, in the order in which they began."""
    commit: int
    """When COMMIT passed on the wire. What PostgreSQL answered was held, and never arrived."""
    killed: int
    """When the process that had sent it was killed."""
    told: str
    """What the client was told."""
    rows: int
    """How many todos there are of it in the end."""
    verdict: Verdict


def follow_both(data: Path, log: Log, stop: threading.Event) -> list[Followed]:
    """Follow an add in each twin, both at the same time; raises StopRequested once `stop` is set."""
    with listening() as sink, ThreadPoolExecutor(len(TWINS)) as threads:
        settings = {**SETTINGS, "OTEL_EXPORTER_OTLP_ENDPOINT": sink.url}
        labs = [Laboratory(twin, data / twin.key, log, settings, stop) for twin in TWINS]
        following = [threads.submit(_follow, lab, sink, stop) for lab in labs]
        try:
            return [each.result() for each in following]
        except BaseException:
            stop.set()
            raise


def _follow(stopped: Laboratory, sink: Sink, stop: threading.Event) -> Followed:
    def wait(condition: Callable[[], object], what: str) -> None:
        until(lambda: condition() or stop.is_set(), what)
        if stop.is_set():
            raise StopRequested

    # In this order: the client waits until its twin has ended.
    with ThreadPoolExecutor(1) as meanwhile, stopped as lab:
        # The first call makes connections.
        lab.twin.add("warm-up")
        operation = ClientOperation("add", new_name("milk"), new_key())
        commit = lab.database.watch(Sent("COMMIT", mentioning=operation.marker))
        answer = lab.database.hold(Answer("COMMIT", mentioning=operation.marker))
        click = _tracer(sink).start_span(CLICK, kind=SpanKind.CLIENT)

        def spans() -> list[SpanRecord]:
            return sink.spans(format_trace_id(click.get_span_context().trace_id))

        clicked = meanwhile.submit(_add, lab.twin, operation, click)
        answer.wait()
        began, since = time.time_ns() - time.monotonic_ns(), commit.wait().since
        wait(
            lambda: len([span for span in spans() if span.name == "INSERT"]) == STATEMENTS[lab.which], "the statements"
        )
        killed = time.time_ns()
        lab.twin.writer.kill()
        lab.twin.writer.start()
        clicked.result()
        wait(
            lambda: not lab.which.durable or any(span.name.startswith(LAST) for span in spans()), "Restate's last span"
        )
        wait(lambda: not lab.which.durable or any(span.kind == "server" for span in spans()), "the span of the request")
        verdict, rows = verdict_on(lab.twin, operation), len(lab.twin.todos_named(operation.marker))
    told = "nothing" if operation.outcome is Outcome.UNKNOWN else operation.detail
    return Followed(lab.which, spans(), began + int(since * 1e9), killed, told, rows, verdict)


def _add(twin: RunningTwin, operation: ClientOperation, click: Span) -> None:
    """Add a todo as a client that begins the trace."""
    with requests.Session() as session, use_span(click, end_on_exit=True):
        inject(session.headers)
        twin.operate(operation, session)
        if operation.outcome is not Outcome.OK:
            click.set_status(StatusCode.ERROR, operation.detail)


def _tracer(sink: Sink) -> Tracer:
    provider = TracerProvider(resource=Resource({SERVICE_NAME: "client"}))
    provider.add_span_processor(SimpleSpanProcessor(_ToSink(sink)))
    return provider.get_tracer(__name__)


class _ToSink(SpanExporter):
    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self._sink.take(encode_spans(spans).SerializeToString())
        return SpanExportResult.SUCCESS
