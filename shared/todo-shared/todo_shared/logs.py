"""Log lines: text for people, and one JSON object each for what collects them, with the ids to find a request by."""

import json
import logging
import os
import sys
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from flask import Flask, Response, g, has_request_context, request
from flask.logging import default_handler

from todo_shared.printable_logs import PrintableRecord

IDS = "todo.ids"
"""Under this name the ids of a request are in its WSGI environment, for the server's line about it."""

Ids = Mapping[str, str]


def is_json() -> bool:
    """Return whether lines are JSON: as LOG_FORMAT says, which the settings check, and else if nobody watches."""
    chosen = os.environ.get("LOG_FORMAT", "").lower()
    return chosen == "json" if chosen else not sys.stderr.isatty()


def _of_the_request() -> Ids:
    if not has_request_context():
        return {}
    if "request_id" not in g:
        g.request_id = str(uuid.uuid4())
    return {"request_id": g.request_id, **({"invocation_id": g.invocation_id} if "invocation_id" in g else {})}


def _of_the_trace() -> Ids:
    # Whoever traces has imported it; nobody else needs to have it.
    trace = sys.modules.get("opentelemetry.trace")
    span = trace.get_current_span().get_span_context() if trace else None
    return {"trace_id": f"{span.trace_id:032x}"} if span and span.is_valid else {}


SOURCES: list[Callable[[], Ids]] = [_of_the_request, _of_the_trace]
"""Where the ids come from; a process that is no web application adds its own."""


def ids() -> dict[str, str]:
    """Return what belongs to the work of this thread at this moment: request_id, invocation_id, trace_id."""
    return {name: value for source in SOURCES for name, value in source().items()}


class JsonFormatter(logging.Formatter):
    """Makes a record one line of JSON in ASCII, whatever text is in it. A record's `fields` are members, too."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            # As it was: what JSON escapes needs no other marks.
            "message": logging.LogRecord.getMessage(record),
            **ids(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str).replace("\x7f", "\\u007f")


def install() -> None:
    """Let all loggers of this process write such lines, by Flask's handler, to standard error."""
    logging.setLogRecordFactory(PrintableRecord)
    if is_json():
        default_handler.setFormatter(JsonFormatter())
    logging.getLogger().addHandler(default_handler)


def register(app: Flask) -> None:
    """Let the server's line about a request have its ids."""

    @app.after_request
    def keep_ids(response: Response) -> Response:
        if is_json():
            request.environ[IDS] = ids()
        return response
