"""Both applications in this process, which no server serves: what they are made of can be looked at."""

import pytest
from flask import Flask

from flask_todo.app import create_app as plain_app
from flask_todo_restate.app import create_app as restate_app
from flask_todo_restate.settings import WebSettings
from todo_shared.settings import Settings


def make_both(monkeypatch: pytest.MonkeyPatch) -> tuple[Flask, Flask]:
    """Return the plain application and that with Restate, with settings that no database is at."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    monkeypatch.setenv("SECRET_KEY", "a secret for tests")
    monkeypatch.setenv("PORT", "1")
    return plain_app(Settings()), restate_app(WebSettings())
