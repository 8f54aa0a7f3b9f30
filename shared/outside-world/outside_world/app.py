"""The application: gunicorn 'outside_world.app:create_app()'. It needs nothing but its file."""

from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue
from sqlalchemy import text
from werkzeug.exceptions import HTTPException
from werkzeug.routing import UnicodeConverter

from outside_world.asking import ask
from outside_world.models import db, open_file
from outside_world.problems import http_problem, problem
from outside_world.receivers import receivers
from outside_world.settings import load
from outside_world.shown import RECEIVERS, shown

MAX_BODY_BYTES = 64 * 1024


class Name(UnicodeConverter):
    """A part of an address."""

    regex = "[^/]{1,200}"


class OutsideWorld(Flask):
    """An application that keeps each request to a receiver, also to an address that the receiver does not have."""

    def dispatch_request(self) -> ResponseReturnValue:
        """Answer a request."""
        receiver = request.path.split("/")[1]
        if receiver in RECEIVERS:
            return ask(receiver, super().dispatch_request)
        return super().dispatch_request()


def create_app() -> Flask:
    """Return the application."""
    app = OutsideWorld(__name__)
    app.url_map.converters["name"] = Name
    app.url_map.merge_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    open_file(app, load().outside_world_data)
    app.register_blueprint(receivers)
    app.register_blueprint(shown)
    app.register_error_handler(HTTPException, http_problem)
    app.register_error_handler(500, lambda _: problem(500, "The outside world itself failed: see its log."))
    app.after_request(_close)

    @app.get("/healthz")
    def healthz() -> ResponseReturnValue:
        """Say that this process serves requests and reaches its file."""
        db.session.execute(text("SELECT count(*) FROM mode"))
        return jsonify(status="ok")

    return app


def _close(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"
    return response
