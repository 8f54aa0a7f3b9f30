"""Routes on the article's idea: each hands its form to the service and redirects, whatever the answer is."""

import requests
from flask import Flask, redirect, request
from werkzeug.wrappers import Response

TIMEOUT_SECONDS = 30


def create_app(ingress_url: str, service: str = "ArticleService") -> Flask:
    """Make an application that calls this service at this ingress."""
    app = Flask(__name__)

    def call(handler: str, message: dict[str, object]) -> Response:
        requests.post(f"{ingress_url}/restate/call/{service}/{handler}", json=message, timeout=TIMEOUT_SECONDS)
        return redirect("/")

    @app.post("/add")
    def add_todo() -> Response:
        return call("add_todo", {"task": request.form["task"]})

    @app.post("/delete/<int:todo_id>")
    def delete_todo(todo_id: int) -> Response:
        return call("delete_todo", {"todo_id": todo_id})

    return app
