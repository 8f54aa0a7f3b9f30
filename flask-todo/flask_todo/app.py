"""The application factory."""

from flask import Flask

from flask_todo.api import api
from flask_todo.routes import todo_routes
from todo_shared.application import add_routes, build_app
from todo_shared.settings import Settings, load


def create_app(settings: Settings | None = None) -> Flask:
    """Return the application, with settings from the environment unless they are given.

    Raises:
        SettingsError: a setting is missing or wrong.

    """
    settings = settings or load(Settings)
    app = build_app(__name__, "flask-todo", settings)
    add_routes(app, todo_routes, api)
    return app
