"""Error answers: pages for people, RFC 9457 problem details for API clients."""

from collections.abc import Callable

import requests
from flask import Flask, g, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from pydantic import JsonValue
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from werkzeug.exceptions import BadRequest, HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from todo_shared import pages
from todo_shared.features.errors import RefusedError
from todo_shared.features.outside import was_not_done
from todo_shared.features.pages import todo_page
from todo_shared.forms import InvalidFormError, form_of, new_request_id
from todo_shared.models import db
from todo_shared.models.database import DATABASE_ERRORS, DATABASE_UNAVAILABLE, outage, refusal
from todo_shared.operations import TodoNotFoundError
from todo_shared.schemas import Problem


class ForeignFormError(BadRequest):
    """A form is from another site's page, or its browser does not say from which. The message tells the user."""


def is_api() -> bool:
    """Return whether this request expects JSON."""
    return request.path.startswith("/api/")


def problem(status: int, detail: str, **members: JsonValue) -> ResponseReturnValue:
    """Return an answer in the format of RFC 9457."""
    title = HTTP_STATUS_CODES.get(status, "Error")
    body = Problem(type="about:blank", title=title, status=status, detail=detail)
    response = jsonify({**body, **members})
    response.mimetype = "application/problem+json"
    return response, status


def failure(status: int, detail: str) -> ResponseReturnValue:
    """Return problem details or an error page, whichever this request expects."""
    if is_api():
        return problem(status, detail)
    title = HTTP_STATUS_CODES.get(status, "Error")
    return render_template("error.html", status=status, title=title, detail=detail), status


def gone(reason: str) -> ResponseReturnValue:
    """Return that something is not found; a task that was typed for it can be added as a new todo."""
    if is_api() or not request.form.get("task"):
        return failure(404, reason)
    return pages.gone(reason), 404


def unavailable(detail: str, status: int = 503, *, keep_request_id: bool = True) -> ResponseReturnValue:
    """Return an error that loses nothing: the page contains what was submitted, ready to be submitted again.

    With `keep_request_id`, submitting it repeats the same request; otherwise, it makes a new one.
    """
    if is_api():
        return problem(status, detail)
    return pages.retry_later(detail, keep_request_id=keep_request_id), status


def refused(status: int, reason: str) -> ResponseReturnValue:
    """Return the answer to what cannot be done: the todo's page with the reason, if it is about what that carries."""
    if not is_api() and status != 404 and request.view_args and request.path.startswith("/todos/"):
        form = form_of(request.endpoint, request.form)
        if form:
            # What was refused has ended: when it is submitted again, it is something new.
            form.request_id.data = new_request_id()
        todo_id = request.view_args["todo_id"]
        return _with_its_page(lambda: todo_page(todo_id, form, reason), status, reason, keep_request_id=False)
    if status == 404:
        return gone(reason)
    return failure(status, reason) if is_api() else unavailable(reason, status, keep_request_id=False)


def _with_its_page(
    page: Callable[[], str], status: int, reason: str, *, keep_request_id: bool = True
) -> ResponseReturnValue:
    """Return an error on the page that its form is on; only the reason and the form, where that cannot be shown."""
    try:
        return page(), status
    except TodoNotFoundError as error:
        return gone(str(error))
    except DATABASE_ERRORS:
        return unavailable(reason, status, keep_request_id=keep_request_id)


def register(app: Flask) -> None:
    """Register these answers as the application's error handlers."""

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> ResponseReturnValue:
        response = app.make_response(failure(error.code or 500, error.description or ""))
        for name, value in error.get_headers():
            if name in ("Accept-Encoding", "Allow", "Retry-After"):
                response.headers[name] = value
        return response

    @app.errorhandler(InvalidFormError)
    def invalid_form(error: InvalidFormError) -> ResponseReturnValue:
        return _with_its_page(lambda: pages.page_of(error.form, str(error)), 400, str(error))

    @app.errorhandler(ForeignFormError)
    @app.errorhandler(CSRFError)
    def csrf_error(error: BadRequest) -> ResponseReturnValue:
        message = "This page was open for too long, or in another browser. Please submit the form once more."
        if isinstance(error, ForeignFormError):
            message = error.description or message
        form = form_of(request.endpoint, request.form)
        if form is None:
            return failure(400, message)
        form.request_id.validate(form)  # A bad one is replaced.
        return invalid_form(InvalidFormError(form, message))

    @app.errorhandler(RefusedError)
    def cannot_be_done(error: RefusedError) -> ResponseReturnValue:
        # Nothing of what it began shall be in the transaction of the answer.
        db.session.rollback()
        return refused(error.status, str(error))

    @app.errorhandler(requests.RequestException)
    def outside(error: requests.RequestException) -> ResponseReturnValue:
        db.session.rollback()
        done = "Nothing was done there."
        if not was_not_done(error):
            g.told, done = "unknown", "It is unknown whether it was done there."
        return refused(503, f"Another server does not answer as it should. {done}")

    @app.errorhandler(TodoNotFoundError)
    def not_found(error: TodoNotFoundError) -> ResponseReturnValue:
        return gone(str(error))

    def database_error(error: Exception) -> ResponseReturnValue:
        # What the database says itself is not for users. It is in the log, by todo_shared.models.database.
        if refused := refusal(error):
            status, words = refused
            return unavailable(words, status)
        if isinstance(error, PoolTimeoutError):
            outage.failed("no connection of the pool became free in time")
        why = (
            "is not available"
            if isinstance(error, DATABASE_UNAVAILABLE)
            else "does not fit this version of the application"
        )
        return unavailable(f"The database {why} at the moment.{'' if is_api() else pages.what_was_saved()}")

    for kind in DATABASE_ERRORS:
        app.register_error_handler(kind, database_error)
