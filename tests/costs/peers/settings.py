"""What the contestants are run with, beside the defaults, which are those of the twins."""

from flask_todo_restate.settings import WebSettings

FOR_ALL = {
    # A line for each request costs time.
    "LOG_LEVEL": "warning",
    # Under load an add is waited for until it is done: one that is answered as pending has no time.
    "WRITE_BUDGET": "25",
}

WAITING_THREADS: int = WebSettings.model_fields["web_threads"].default
"""Threads of a web that waits for another process to do the write: as many as the Restate twin has."""

WAITS_FOR_A_WORKER = {"WEB_THREADS": str(WAITING_THREADS)}
