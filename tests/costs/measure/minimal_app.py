"""The least that is still a Flask application which adds a todo: no model, no validation, no error page."""

import os

from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue
from psycopg2.pool import ThreadedConnectionPool

CONNECTIONS = 8
"""As many as threads, as in the twins."""


def create_app() -> Flask:
    """Return the application."""
    app = Flask(__name__)
    pool = ThreadedConnectionPool(CONNECTIONS, CONNECTIONS, os.environ["DATABASE_URL"])

    @app.get("/readyz")
    def readyz() -> ResponseReturnValue:
        return jsonify(status="ok")

    @app.post("/api/todos")
    def add_todo() -> ResponseReturnValue:
        title = request.get_json()["title"]
        connection = pool.getconn()
        try:
            # The block commits; the connection stays open.
            with connection, connection.cursor() as cursor:
                cursor.execute("INSERT INTO todo (task) VALUES (%s) RETURNING id", [title])
                todo_id = cursor.fetchone()[0]  # type: ignore[index]  # RETURNING has always one
        finally:
            pool.putconn(connection)
        return jsonify(id=todo_id, title=title), 201

    return app
