"""What Prometheus scrapes at METRICS_PORT: counts of requests and writes, the pool, and what others are asked for.

Each process counts in files of its own, and one of them serves the sum; when that one ends, another takes over. Nothing
that goes wrong here is an error of what is measured.
"""

import fcntl
import functools
import logging
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO, cast

from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy import Engine, QueuePool, create_engine, text

from todo_shared import metrics
from todo_shared.metrics import Asked, Measured
from todo_shared.models.database import DATABASE_ERRORS, committing, engine_options
from todo_shared.outages import Outage
from todo_shared.settings import DatabaseSettings

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 1.0
"""How often the pool is looked at, and what one process alone may do is tried by the others."""

PATIENCE_SECONDS = 2
"""How long the database may take for each answer to a scrape: Prometheus waits for ten seconds in all."""

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

OPERATIONS = {
    **{name: name for name in ("add_todo", "update_todo", "delete_todo", "clear_todos", "clear_completed")},
    **dict.fromkeys(("set_bounty", "bounty_form"), "set_bounty"),
    **dict.fromkeys(("drop_bounty", "bounty_delete_form"), "drop_bounty"),
    **dict.fromkeys(("pay_bounty", "bounty_payment_form"), "pay"),
    **dict.fromkeys(("refund_bounty", "bounty_refund_form"), "refund"),
    **dict.fromkeys(("set_watcher", "watcher_form"), "set_watcher"),
    **dict.fromkeys(("drop_watcher", "watcher_delete_form"), "drop_watcher"),
    **dict.fromkeys(("set_reminder", "reminder_form"), "set_reminder"),
    **dict.fromkeys(("cancel_reminder", "reminder_delete_form"), "cancel_reminder"),
    **dict.fromkeys(("plan_meeting", "meeting_form"), "plan_meeting"),
    **dict.fromkeys(("cancel_meeting", "meeting_delete_form"), "cancel_meeting"),
}
"""The writes by the names of their routes, of the API and of the pages."""

REQUESTS = Counter("todo_http_requests", "Requests that were answered.", ["method", "route", "status"], registry=None)
WRITES = Counter(
    "todo_writes", "Writes, by what their clients were told.", ["operation", "outcome", "status"], registry=None
)
SECONDS = Histogram(
    "todo_write_duration_seconds",
    "How long the client of a write waited for its answer.",
    ["operation"],
    buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10),
    registry=None,
)


counting = Outage("counting for /metrics")
_has_room = False
"""Whether this process may count."""


@contextmanager
def _harmless(outage: Outage) -> Iterator[None]:
    # Whatever it is: once a file is lost, the client does not say so with errors of one kind.
    try:
        yield
    except Exception as error:
        outage.failed(f"{type(error).__name__}: {error}")
    else:
        outage.ended()


def outcome(status: int) -> str:
    """Return what the client of this request's write is told: ok, fail, pending or unknown."""
    if "told" in g:  # By the twin, which knows better.
        return str(g.told)
    if status >= 500 and committing():
        return "unknown"
    return {202: "pending"}.get(status, "ok" if status < 400 else "fail")


def count_requests(app: Flask) -> None:
    """Count the requests of an application. Called before others, this sees what they refuse, and answer in the end."""

    @app.before_request
    def begin() -> None:
        g.begun = time.perf_counter()

    @app.after_request
    def count(response: Response) -> Response:
        with _harmless(counting):
            if _has_room:
                _count(response.status_code)
        return response


def _count(status: int) -> None:
    method = request.method if request.method in METHODS else "other"
    REQUESTS.labels(method, request.url_rule.rule if request.url_rule else "none", status).inc()
    operation = OPERATIONS.get(str(request.endpoint).rpartition(".")[2])
    if operation and method not in ("GET", "HEAD", "OPTIONS"):
        WRITES.labels(operation, outcome(status), status).inc()
        SECONDS.labels(operation).observe(time.perf_counter() - g.begun)


class _Counted(MultiProcessCollector):
    """What all processes have counted. A file is empty that one was making when it was killed, or is making now."""

    def collect(self) -> Iterable[Metric]:
        """Return the sums."""
        found = cast(Path, metrics.folder()).glob("*.db")
        return cast(Iterable[Metric], self.merge([str(file) for file in found if _size(file)]))  # type: ignore[no-untyped-call]


def _size(file: Path) -> int:
    # A gauge's file is removed when its process has ended.
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


class _Others(Collector):
    """Asks others at each scrape, one scrape at a time."""

    def __init__(self, settings: DatabaseSettings, asked: Asked) -> None:
        self._asked = asked
        self._lock = threading.Lock()
        impatient = {
            "db_pool_size": 1,
            "db_connect_timeout_seconds": PATIENCE_SECONDS,
            "db_statement_timeout_seconds": PATIENCE_SECONDS,
            "db_silence_timeout_seconds": PATIENCE_SECONDS,
        }
        # A pool of its own: a scrape takes no connection from a request, and waits for none.
        self._engine = create_engine(settings.database_url, **engine_options(settings.model_copy(update=impatient)))

    def _ask_database(self) -> Iterator[Measured]:
        with self._engine.connect() as connection:
            connection.execute(text("SELECT 1"))
            for name, (about, statement) in self._asked.statements.items():
                yield Measured(name, about, connection.execute(text(statement)).scalar_one())

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return what each part tells."""
        up = GaugeMetricFamily("todo_up", "Whether this part has answered the scrape.", labels=["part"])
        gauges: dict[str, GaugeMetricFamily] = {}
        with self._lock:
            for part, ask in {"database": self._ask_database, **self._asked.parts}.items():
                measured, answers = list[Measured](), 0
                try:
                    measured, answers = list(ask()), 1
                except (*DATABASE_ERRORS, OSError, LookupError, ValueError):
                    pass  # The exceptions of requests are OSErrors.
                except Exception:
                    log.exception("%s cannot be asked for metrics, because of a bug", part)
                up.add_metric([part], answers)
                for name, about, value, labels in measured:
                    gauge = gauges.setdefault(name, GaugeMetricFamily(name, about, labels=list(labels)))
                    gauge.add_metric(list(labels.values()), value)
        return [up, *gauges.values()]


class Server:
    """Serves what all processes of a program have counted, which is measured: metrics.prepare() was called."""

    def __init__(self, settings: DatabaseSettings, engine: Engine, asked: Asked) -> None:
        """Describe it; `engine` is the one whose pool is measured."""
        self._settings, self._engine = settings, engine
        self._others = _Others(settings, asked)
        self._serving = Outage(f"serving /metrics at {settings.metrics_host}:{settings.metrics_port} (METRICS_PORT)")
        self._serves = False

    def start(self) -> None:
        """Measure this process from now on, and serve unless another process does. It takes a thread.

        A process that finds no room for that is not measured, and works.
        """
        global _has_room
        _has_room = False
        with _harmless(counting):
            metrics.reserve()
            _has_room = True
        if not _has_room:
            return
        threading.Thread(target=self._run, name="metrics", daemon=True).start()

    def _run(self) -> None:
        while True:
            with _harmless(counting):
                self._look()
            with _harmless(self._serving):
                self._serve()
            # The interval itself: a pool tells nobody when it is full, and a port tells nobody when it is free.
            time.sleep(INTERVAL_SECONDS)

    @functools.cached_property
    def _gauges(self) -> tuple[Gauge, Gauge]:
        # By process: the pool of one may be exhausted while another has connections left. So only now, in this process.
        gauge = functools.partial(Gauge, multiprocess_mode=metrics.GAUGES, registry=None)
        size = gauge("todo_db_pool_size", "Connections that a process can have.")
        return size, gauge("todo_db_pool_checked_out", "Connections that a process uses at this moment.")

    def _look(self) -> None:
        (size, taken), pool = self._gauges, cast(QueuePool, self._engine.pool)
        size.set(pool.size())
        taken.set(pool.checkedout())

    @functools.cached_property
    def _lock(self) -> TextIO:
        return (cast(Path, metrics.folder()) / "serves").open("w")

    def _serve(self) -> None:
        if self._serves:
            return
        # Who has it is the one that serves, or says why not. The kernel gives it back when that process ends.
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        registry = CollectorRegistry()
        _Counted(registry)  # type: ignore[no-untyped-call]  # it has none
        registry.register(self._others)
        start_http_server(cast(int, self._settings.metrics_port), self._settings.metrics_host, registry)
        self._serves = True
