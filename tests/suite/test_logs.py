"""Where nobody watches, each line of a log is a JSON object, in which a request is found by its ids."""

import json
import logging
import re
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from tests.support.logs import printed
from tests.support.restarted import restarted
from tests.support.running_twin import RunningTwin, new_key
from tests.support.waiting import until
from todo_shared import logs
from todo_stack.stack import Stack
from todo_stack.twins import TWINS, Twin

OF_A_CLIENT = 'x"},{"level":"error\\'
"""Begins what a client sends, and would be a member of its own in a line that was put together carelessly."""

ANY_TEXT = 'a "b" \\ \x00\x1b[31m\x7f\x9b\u2028\n{"level": "error"}\r \udc80 é \U0001f600'


NOBODY = "http://127.0.0.1:9"
"""Where traces are sent, and nobody is."""


@pytest.fixture(scope="module")
def json_stack(native_stack: Stack) -> Iterator[Stack]:
    """The stack while its twins write JSON."""
    servers = {name for twin in TWINS for name in (twin.title, twin.writer)}
    with restarted(native_stack, servers, {"LOG_FORMAT": "json", "OTEL_EXPORTER_OTLP_ENDPOINT": NOBODY}):
        yield native_stack


def lines(stack: Stack, server: str, after: int) -> list[dict[str, Any]]:
    """Return the lines of a server, each of which must be an object of JSON."""
    return [json.loads(line) for line in printed(stack.data, after).get(server, [])]


def count(stack: Stack) -> int:
    """Return how many lines all servers have printed."""
    return sum(map(len, printed(stack.data).values()))


def test_text_where_people_watch(native_stack: Stack) -> None:
    """What the stack shows is text, a line for each request."""
    for twin in (RunningTwin(which, native_stack) for which in TWINS):
        before, path = count(native_stack), f"/healthz?{new_key()}"

        def told(path: str = path, before: int = before, web: str = twin.web.name) -> list[str]:
            return [line for line in printed(native_stack.data, before).get(web, []) if path in line]

        assert twin.call("GET", f"{twin.url}{path}").status_code == 200
        (line,) = until(told, "the request is told of")
        assert line.startswith("127.0.0.1 - - [")


@pytest.mark.parametrize("which", TWINS, ids=str)
def test_a_write_is_found_in_each_log(json_stack: Stack, which: Twin) -> None:
    """The line of the web about a write has its key; in the Restate twin the service has the same, and the call."""
    twin, before, key = RunningTwin(which, json_stack), count(json_stack), OF_A_CLIENT + new_key()
    assert twin.call("POST", json={"title": key}, headers={"Idempotency-Key": key}).status_code == 201

    def told(server: str) -> list[dict[str, Any]]:
        return [line for line in lines(json_stack, server, before) if line.get("request_id") == key]

    (line,) = until(lambda: told(twin.web.name), "the web has told of it")
    assert (line["level"], line["status"], line["message"]) == ("info", 201, "POST /api/todos")
    assert re.fullmatch("[0-9a-f]{32}", line["trace_id"])
    assert ("invocation_id" in line) == which.durable
    if which.durable:
        (done,) = until(lambda: told(twin.writer.name), "the service has told of it")
        assert re.fullmatch("[0-9a-f]{32}", done["trace_id"])
        assert (done["message"], done["invocation_id"]) == ("TodoService/add_todo is done", line["invocation_id"])


@pytest.mark.parametrize("which", TWINS, ids=str)
def test_a_line_of_the_application_has_the_id_of_its_request(json_stack: Stack, which: Twin) -> None:
    """What a client sends stands in a line as it is; the line, and the one about the request, have one id."""
    twin, before = RunningTwin(which, json_stack), count(json_stack)
    origin = f"http://{OF_A_CLIENT}{new_key()}"
    headers = {"Origin": origin}
    answer = requests.post(f"{twin.url}/add", headers=headers, params={"q": OF_A_CLIENT}, timeout=30)
    assert answer.status_code == 400
    web = twin.web.name
    until(lambda: any(line.get("status") == 400 for line in lines(json_stack, web, before)), "the request is told of")
    warning, about = (line for line in lines(json_stack, web, before) if "request_id" in line)
    assert origin in warning["message"]
    assert warning["level"] == "warning"
    for name in ("request_id", "trace_id"):
        assert warning[name] == about[name]


@pytest.mark.parametrize(
    ("setting", "terminal", "is_json"),
    [("", True, False), ("", False, True), ("json", True, True), ("TEXT", False, False)],
)
def test_format(monkeypatch: pytest.MonkeyPatch, setting: str, terminal: bool, is_json: bool) -> None:
    """A terminal shows text and anything else takes JSON, unless LOG_FORMAT says otherwise."""
    monkeypatch.setenv("LOG_FORMAT", setting)
    monkeypatch.setattr(sys, "stderr", SimpleNamespace(isatty=lambda: terminal))
    assert logs.is_json() == is_json


def test_any_text_is_one_line() -> None:
    """Whatever a message and an error contain: one line of printable ASCII, from which it can be read again."""
    try:
        raise ValueError(ANY_TEXT)
    except ValueError as error:
        info = (ValueError, error, error.__traceback__)
    record = logging.LogRecord("x", logging.ERROR, "", 1, "%s", (ANY_TEXT,), info)
    record.fields = {"path": ANY_TEXT, "other": object()}
    line = logs.JsonFormatter().format(record)
    assert line.isascii()
    assert line.isprintable()
    read = json.loads(line)
    assert (read["message"], read["path"], read["level"]) == (ANY_TEXT, ANY_TEXT, "error")
    assert ANY_TEXT in read["exception"]


@pytest.mark.parametrize("is_valid", [True, False])
def test_trace(monkeypatch: pytest.MonkeyPatch, is_valid: bool) -> None:
    """A line has the id of the trace that it belongs to, as the standard writes it."""
    context = SimpleNamespace(trace_id=0xABC, is_valid=is_valid)
    span = SimpleNamespace(get_span_context=lambda: context)
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", SimpleNamespace(get_current_span=lambda: span))
    assert logs.ids() == ({"trace_id": f"{0xABC:032x}"} if is_valid else {})
