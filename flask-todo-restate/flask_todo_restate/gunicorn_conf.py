"""Settings of gunicorn for this twin: gunicorn --config python:flask_todo_restate.gunicorn_conf."""

from flask_todo_restate.settings import WebSettings
from todo_shared.gunicorn_conf import *  # noqa: F403 - gunicorn takes every name of this module
from todo_shared.settings import load

threads = load(WebSettings).web_threads
