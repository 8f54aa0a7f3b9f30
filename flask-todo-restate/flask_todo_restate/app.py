"""The application factory."""

from flask import Flask

from flask_restate.ledger import MIGRATIONS
from flask_todo_restate import measured, outcomes, waiting
from flask_todo_restate.api import api
from flask_todo_restate.routes import todo_routes
from flask_todo_restate.settings import WebSettings
from todo_shared.application import add_routes, build_app
from todo_shared.settings import load


def create_app(settings: WebSettings | None = None) -> Flask:
    """Return the application, with settings from the environment unless they are given.

    Raises SettingsError: a setting is missing or wrong.
    """
    settings = settings or load(WebSettings)
    checks = {"restate": outcomes.restate.check}
    # Restate keeps the writes while the database is away.
    app = build_app(__name__, "flask-todo-restate", settings, checks, needs=["restate"], migrations=[MIGRATIONS])
    app.config.update(RESTATE_ENDPOINT=settings.restate_endpoint, RESTATE_WRITE_BUDGET=settings.write_budget)
    add_routes(app, todo_routes, api, promises=True)
    outcomes.init_app(app)
    pending = waiting.init_app(app, settings.restate_admin_url, settings.dashboard_url)
    measured.ask(app.extensions["metrics"], pending)
    return app
