"""gunicorn's settings for this twin: gunicorn --config python:flask_todo_restate.gunicorn_conf."""

from flask_todo_restate.settings import WebSettings
from todo_shared.gunicorn_conf import *  # noqa: F403 - gunicorn reads every name in this module
from todo_shared.settings import load

threads = load(WebSettings).web_threads
