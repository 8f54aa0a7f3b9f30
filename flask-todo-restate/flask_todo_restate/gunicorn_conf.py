"""gunicorn's settings for this twin: gunicorn --config python:flask_todo_restate.gunicorn_conf."""

from flask_todo_restate.settings import WebSettings
from todo_shared.gunicorn_conf import *  # noqa: F403 - gunicorn reads every name in this module
from todo_shared.gunicorn_worker import DeadlineWorker
from todo_shared.settings import load

threads = load(WebSettings).web_threads
# As many as can have a connection to the database: the others are there to wait for Restate.
DeadlineWorker.at_work = load(WebSettings).db_pool_size
