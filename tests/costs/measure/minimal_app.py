"""The least that is still a Flask application which adds a todo: no model, no validation, no error page.

Or with what the twins check and send, by the packages that are agreed on for it and no code of the twins.
"""

import os
from collections.abc import Callable

from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue
from flask_cors import CORS
from flask_talisman import Talisman
from flask_wtf import CSRFProtect
from psycopg2.pool import ThreadedConnectionPool

from todo_shared.schemas import TodoRequestBody

CONNECTIONS = 8
"""As many as threads, as in the twins."""


def create_app(*, with_checks: bool = False) -> Flask:
    """Return the application."""
    app = Flask(__name__)
    pool = ThreadedConnectionPool(CONNECTIONS, CONNECTIONS, os.environ["DATABASE_URL"])

    checked = _add_checks(app) if with_checks else None

    @app.get("/readyz")
    def readyz() -> ResponseReturnValue:
        return jsonify(status="ok")

    @app.post("/api/todos")
    def add_todo() -> ResponseReturnValue:
        title = checked(request.get_data()) if checked else request.get_json()["title"]
        connection = pool.getconn()
        try:
            # The block commits; the connection stays open.
            with connection, connection.cursor() as cursor:
                cursor.execute("INSERT INTO todo (task) VALUES (%s) RETURNING id", [title])
                todo_id = cursor.fetchone()[0]  # type: ignore[index]  # RETURNING has always one
        finally:
            pool.putconn(connection)
        return jsonify(id=todo_id, title=title), 201

    if with_checks:
        app.extensions["csrf"].exempt(add_todo)
    return app


def _add_checks(app: Flask) -> Callable[[bytes], str]:
    """Add the packages, and return what checks a body and returns its title."""
    app.config["SECRET_KEY"] = os.environ["SECRET_KEY"]
    CSRFProtect(app)
    CORS(app, resources=r"/api/*")
    Talisman(app, force_https=False)
    return lambda body: TodoRequestBody.model_validate_json(body).task
