"""Errors in JSON, in the format of RFC 9457."""

import contextlib
from collections.abc import Iterator
from typing import TypeVar

from flask import Response, abort, jsonify, request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import BadRequest, HTTPException
from werkzeug.http import HTTP_STATUS_CODES

AnyModel = TypeVar("AnyModel", bound=BaseModel)

PROBLEM = "application/problem+json"


def problem(status: int, detail: str) -> Response:
    """Return an error answer."""
    title = HTTP_STATUS_CODES.get(status, "Error")
    response = jsonify(type="about:blank", title=title, status=status, detail=detail)
    response.status_code, response.mimetype = status, PROBLEM
    return response


def http_problem(error: HTTPException) -> Response:
    """Return the answer to what was refused, with its headers, such as Allow."""
    if error.response is not None:
        return error.response  # type: ignore[return-value]  # ours, or a redirection
    response = problem(error.code or 500, error.description or "")
    response.headers.extend((name, value) for name, value in error.get_headers() if name != "Content-Type")
    return response


def whole_body() -> bytes:
    """Return the request's body; abort with 400 if it was cut off: the server passes that on as if it were whole."""
    try:
        body = request.get_data()
    except HTTPException:
        raise
    except Exception as error:
        # gunicorn's own exceptions, of several kinds, for a malformed chunk.
        raise BadRequest("The request's body is malformed.") from error
    if len(body) < (request.content_length or 0):
        abort(400, "The request ended before its body was complete.")
    # Of a body whose length is not declared, there is no more than the limit.
    if request.content_length is None and len(body) == request.max_content_length:
        abort(413)
    return body


def read(kind: type[AnyModel]) -> AnyModel:
    """Return the request's body; abort with 415 or 400 if it is not such a one."""
    if not request.is_json:
        abort(415, "Send JSON, with Content-Type: application/json.")
    with refusing():
        return kind.model_validate_json(whole_body())


@contextlib.contextmanager
def refusing() -> Iterator[None]:
    """Abort with 400, and each thing that is wrong, instead of a ValidationError."""
    try:
        yield
    except ValidationError as error:
        abort(400, "; ".join(f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in error.errors()))
