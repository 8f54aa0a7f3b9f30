"""The web application around the routes: configuration, extensions, error pages, health checks."""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from alembic.config import Config
from flask import Blueprint, Flask, Response, jsonify
from flask.sessions import SecureCookieSessionInterface
from flask.typing import ResponseReturnValue
from flask_cors import CORS
from flask_migrate import Migrate
from flask_talisman import Talisman
from flask_wtf import CSRFProtect
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import text
from werkzeug.middleware.proxy_fix import ProxyFix

from todo_shared import edge, errors, logs, metrics, openapi, outages, static_files, tracing, way
from todo_shared.features import reminder
from todo_shared.features.outside import outside_settings
from todo_shared.list_view import View
from todo_shared.models import db
from todo_shared.models.database import DATABASE_ERRORS, complete_url, engine_options
from todo_shared.settings import Settings

HERE = Path(__file__).parent

HealthCheck = Callable[[], object]
"""Checks one thing that the application needs, tells the log if it cannot be reached, and raises."""


def build_app(
    name: str,
    title: str,
    settings: Settings,
    checks: Mapping[str, HealthCheck] | None = None,
    needs: Collection[str] = ("database",),
    migrations: Sequence[Path] = (),
) -> Flask:
    """Return an application that is complete except for its routes.

    `checks`, by the name that /readyz reports, are checked in addition to the database. It is 503 only without what the
    application `needs` of these: the others are just named. `migrations` are folders of migrations in addition to ours.
    """
    logs.install()
    # Read now, so that a wrong one ends the start.
    outside_settings()
    app = Flask(name, template_folder=str(HERE / "templates"), static_folder=str(HERE / "static"))
    app.logger.setLevel(settings.log_level.upper())
    outages.log.setLevel(app.logger.level)
    logs.register(app)
    app.config.update(
        TITLE=title,
        SECRET_KEY=settings.secret_key.get_secret_value(),
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        MIGRATION_URL=complete_url(settings.migration_database_url or settings.database_url, settings),
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(settings),
        # Users open both twins on one host, and cookies do not distinguish ports.
        SESSION_COOKIE_NAME=f"{title}-session",
        SESSION_COOKIE_SAMESITE="Lax",
        # A token lives as long as its session, so a page that was left open over lunch can still be submitted.
        WTF_CSRF_TIME_LIMIT=None,
    )
    app.session_interface = _Sessions(app)
    db.init_app(app)
    _add_migrations(app, [HERE / "migrations" / "versions", *migrations])
    # Before what may refuse a request, so that this has a span, too.
    tracing.instrument(app)
    _measure(app, settings)
    edge.register(app, settings.trusted_hosts)
    static_files.register(app)
    CSRFProtect(app)
    if settings.cors_origins:
        CORS(
            app,
            resources=r"/api/*",
            origins=list(settings.cors_origins),
            expose_headers=["Location", "Link"],
            allow_headers=["Content-Type", "Idempotency-Key"],
        )
    Talisman(
        app,
        force_https=False,
        frame_options="DENY",
        session_cookie_secure=settings.session_cookie_secure,
        strict_transport_security=settings.session_cookie_secure,
        content_security_policy={
            "default-src": "'self'",
            "form-action": "'self'",
            "frame-ancestors": "'none'",
            "base-uri": "'none'",
            "object-src": "'none'",
        },
    )
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]  # Flask's way
    errors.register(app)
    way.register(app)
    app.context_processor(lambda: {"view": View.asked()})
    app.after_request(_keep_pages_out_of_caches)
    _add_health(app, {"database": lambda: db.session.execute(text("SELECT 1")), **(checks or {})}, needs)
    return app


class _Sessions(SecureCookieSessionInterface):
    """Signs all sessions with one serializer, with the key of the start.

    Flask makes a new one for each request, and another if its answer sets the cookie.
    """

    def __init__(self, app: Flask) -> None:
        self._serializer = super().get_signing_serializer(app)

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:  # noqa: ARG002 - Flask's
        """Return what signs the sessions of the application."""
        return self._serializer


def _measure(app: Flask, settings: Settings) -> None:
    asked = app.extensions["metrics"] = metrics.Asked()
    about = "For how long the oldest mail has been due that was not sent."
    asked.statements["todo_reminder_overdue_seconds"] = about, reminder.OVERDUE
    if metrics.folder():
        from todo_shared import metrics_server

        metrics_server.count_requests(app)
        with app.app_context():
            app.extensions["metrics_server"] = metrics_server.Server(settings, db.engine, asked)


def _keep_pages_out_of_caches(response: Response) -> Response:
    # They contain a token, and what was typed.
    if response.mimetype == "text/html":
        response.headers["Cache-Control"] = "no-store"
    return response


def add_routes(app: Flask, pages: Blueprint, api: Blueprint, *, promises: bool = False) -> None:
    """Give the application its pages, and its API with a description; `promises` if writes may be answered with 202."""
    app.register_blueprint(pages)
    app.register_blueprint(api)
    # The API uses no cookies, so a page of another site has nothing to misuse: anyone who reaches the API may call it.
    app.extensions["csrf"].exempt(api)
    description = openapi.Description(app, api, promises=promises).build()
    app.add_url_rule("/api/openapi.json", "openapi", lambda: jsonify(description))


def _add_migrations(app: Flask, folders: Sequence[Path]) -> None:
    migrate = Migrate(app, db, directory=str(HERE / "migrations"))

    @migrate.configure  # type: ignore[arg-type]  # its stubs declare another Config
    def configure(config: Config) -> Config:
        config.set_main_option("path_separator", "os")
        config.set_main_option("version_locations", os.pathsep.join(map(str, folders)))
        return config


def _add_health(app: Flask, checks: Mapping[str, HealthCheck], needs: Collection[str]) -> None:
    @app.get("/healthz")
    def healthz() -> ResponseReturnValue:
        """Say that this process serves requests."""
        return jsonify(status="ok")

    @app.get("/readyz")
    def readyz() -> ResponseReturnValue:
        """Say what cannot be reached, and whether the application can do its work without it."""
        missing = [name for name, check in checks.items() if not _passes(check)]
        if any(name in needs for name in missing):
            return jsonify(status="unavailable", unreachable=missing), 503
        return jsonify(status="degraded" if missing else "ok", unreachable=missing)


def _passes(check: HealthCheck) -> bool:
    try:
        check()
    except (*DATABASE_ERRORS, OSError):  # The exceptions of requests are OSErrors.
        return False
    return True
