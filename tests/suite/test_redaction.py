"""Nothing that a user has typed is in a span, whatever fails; what is needed to find the fault is."""

from collections.abc import Iterator

import pytest
import requests
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import format_span_id, format_trace_id

from tests.support import restate_admin
from tests.support.restarted import restarted
from tests.support.running_twin import TIMEOUT_SECONDS, RunningTwin, new_key
from tests.support.waiting import until
from tests.trace.followed import LAST
from tests.trace.sink import Sink, listening
from todo_stack.stack import Stack
from todo_stack.twins import OUTSIDE_WORLD, SERVERS

MARK = "typed"

TELL_ALL = """
    CREATE FUNCTION tell_all() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'no "%"', NEW.task USING ERRCODE = left(NEW.task, 5), DETAIL = NEW.task; END $$;
    CREATE TRIGGER tell_all BEFORE INSERT ON todo FOR EACH ROW WHEN (NEW.task LIKE '_____ tell %')
    EXECUTE FUNCTION tell_all();
"""

REFUSED = {"23505": "UniqueViolation", "23514": "CheckViolation", "22001": "StringDataRightTruncation"}
A_BUG = {"42703": "UndefinedColumn"}


@pytest.fixture(scope="module")
def sink(native_stack: Stack) -> Iterator[Sink]:
    """Where both twins and Restate send their spans, with the names of both generations of the conventions."""
    with listening() as sink:
        settings = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": sink.url,
            "OTEL_BSP_SCHEDULE_DELAY": "50",
            "OTEL_SEMCONV_STABILITY_OPT_IN": "http/dup,database/dup",
            "RESTATE_TRACING_ENDPOINT": f"otlp+{sink.url}/v1/traces",
        }
        with restarted(native_stack, [name for name in SERVERS if name not in ("db", OUTSIDE_WORLD)], settings):
            yield sink


@pytest.fixture
def telling(twin: RunningTwin) -> Iterator[None]:
    """Let PostgreSQL tell the row that it refuses, with the code with which its task begins."""
    twin.rows(TELL_ALL)
    yield
    if twin.which.durable:
        restate_admin.give_up(twin.stack.ports.admin_url)
    twin.rows("DROP FUNCTION tell_all CASCADE")


def all_sent(sink: Sink, twin: RunningTwin) -> None:
    """Wait until a last write has come from all that are asked for it; each sends what it has in order."""
    ids = RandomIdGenerator()
    trace = format_trace_id(ids.generate_trace_id())
    headers = {"traceparent": f"00-{trace}-{format_span_id(ids.generate_span_id())}-01"}
    assert twin.call("POST", json={"title": "last"}, headers=headers).status_code == 201
    until(lambda: [span for span in sink.spans(trace) if span.name == "POST /api/todos"], "the span of the request")
    if twin.which.durable:
        until(lambda: [span for span in sink.spans(trace) if span.name.startswith(LAST)], "Restate's last span")
        until(lambda: [span for span in sink.spans(trace) if span.name == "TodoService/add_todo"], "the service's span")


@pytest.mark.usefixtures("telling")
def test_statements(sink: Sink, twin: RunningTwin) -> None:
    """Of a statement that fails the span has the placeholders and the class of the error, not the row."""
    mark = MARK + new_key()
    assert twin.call("POST", json={"title": mark}).status_code == 201
    for code in [*REFUSED, *A_BUG]:
        assert twin.call("POST", json={"title": f"{code} tell {mark}"}).ok == (twin.which.durable and code in A_BUG)
    all_sent(sink, twin)
    spans = sink.spans()
    assert [span.name for span in spans if mark in span.text] == []
    failed = {span.message for span in spans if span.failed and "db.statement" in span.attributes}
    assert failed == {*REFUSED.values(), *A_BUG.values()}
    assert any("VALUES (%(task)s" in span.attributes.get("db.statement", "") for span in spans)
    assert not any("Traceback" in span.text for span in spans)


def test_requests(sink: Sink, twin: RunningTwin) -> None:
    """Of a request the span has method, route and status, and nothing else that its client has chosen."""
    mark = MARK + new_key()
    headers = {"User-Agent": mark, "Host": mark, "Idempotency-Key": mark, "Referer": f"http://{mark}/"}
    for method, path in [
        *(("GET", f"/?search={mark}"), ("GET", f"/{mark}"), ("POST", f"/{mark}?{mark}"), ("DELETE", f"/?{mark}")),
        *(("GET", f"/api/operations/{mark}"), ("GET", f"/api/todos/{mark}"), ("POST", f"/api/todos?{mark}")),
    ]:
        requests.request(method, twin.url + path, headers=headers, json={"title": mark}, timeout=TIMEOUT_SECONDS)
    all_sent(sink, twin)
    spans = [span for span in sink.spans() if span.kind == "server" and span.service == twin.which.title]
    assert [span.name for span in sink.spans() if mark in span.text] == []
    assert {"GET /", "GET", "POST", "DELETE", "POST /api/todos"} <= {span.name for span in spans}
    assert {"http.route", "http.status_code", "http.response.status_code"} <= spans[-1].attributes.keys()


def test_webhook(sink: Sink, twin: RunningTwin) -> None:
    """Neither the path of a webhook nor its query is in a span, also if nobody is there."""
    mark = MARK + new_key()
    todo = twin.add("watched")["id"]
    url = f"{twin.hook(mark)}?token={mark}"
    assert twin.call("PUT", f"/{todo}/watcher", json={"url": url}).status_code == 200
    world = twin.stack.servers[OUTSIDE_WORLD]
    world.stop()
    assert twin.call("PATCH", f"/{todo}", json={"completed": True}).status_code == 200
    if twin.which.durable:
        until(lambda: [span for span in sink.spans() if span.name == "call" and span.failed], "the call fails")
    world.start()
    until(lambda: twin.call("GET", f"/{todo}/watcher").json()["called_at"], "the watcher is called or given up")
    all_sent(sink, twin)
    assert [span.name for span in sink.spans() if mark in span.text] == []


def test_other_calls(sink: Sink, durable: RunningTwin) -> None:
    """Of the address that is called the span has the origin."""
    all_sent(sink, durable)
    urls = {"http.url", "url.full"}
    called = {span.attributes[name] for span in sink.spans() for name in urls & span.attributes.keys()}
    assert called == {durable.stack.ports.ingress_url}
