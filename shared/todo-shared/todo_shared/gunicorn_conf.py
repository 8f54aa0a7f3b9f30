"""gunicorn's settings: gunicorn --config python:todo_shared.gunicorn_conf."""

import resource

from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker

from todo_shared import garbage, logs, metrics, tracing
from todo_shared.gunicorn_worker import DeadlineWorker
from todo_shared.settings import Settings, load

logs.install()
_settings = load(Settings)
metrics.prepare(_settings)
_open_files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)

bind = f"{_settings.host}:{_settings.port}"
worker_class = "todo_shared.gunicorn_worker.DeadlineWorker"
DeadlineWorker.room = _settings.web_queue
workers = _settings.web_workers
threads = _settings.web_threads
# Half of the files that may be open, which are 256 in a shell of macOS. Who comes then waits; a worker that can open no
# more would end, with all requests that it has.
worker_connections = 1000 if _open_files == resource.RLIM_INFINITY else min(1000, _open_files // 2)
logger_class = "todo_shared.gunicorn_logger.FormattedLogger"
loglevel = _settings.log_level
accesslog = "-" if _settings.log_level in ("debug", "info") else None
# The application is created once, before workers are forked, so a wrong setting ends the start with one line.
preload_app = True
# Only TRUSTED_PROXIES says whose X-Forwarded-* count. gunicorn itself would believe anybody on this machine.
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""
# All applications of this user would share one file in the home folder.
control_socket_disable = True
# Longer than browsers and HTTP libraries keep idle connections, so that they close them first. A request that meets a
# closing connection is lost.
keepalive = 75
# Less than the 10 s that container engines wait before they kill a process, and more than WRITE_BUDGET.
graceful_timeout = 4


def post_fork(_server: Arbiter, worker: Worker) -> None:
    """Send the traces of each worker, and measure it. The application is loaded, and not looked through for garbage."""
    garbage.collect_seldom()
    app = worker.app.wsgi()
    tracing.start(app.config["TITLE"])
    if "metrics_server" in app.extensions:
        app.extensions["metrics_server"].start()


def worker_exit(_server: Arbiter, _worker: Worker) -> None:
    """Send what of the traces is left."""
    tracing.stop()


def child_exit(_server: Arbiter, worker: Worker) -> None:
    """Keep what a worker that has ended has counted, and nothing else of it."""
    metrics.forget_gauges(worker.pid)
