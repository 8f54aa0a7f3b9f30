"""Serves handlers to Restate with hypercorn, and stops without hanging.

`hypercorn --bind 127.0.0.1:9080 your_module:app` also works. It lacks the three settings below that are UNLIMITED, one
thread per database connection for steps, the purge of the ledger, and a stop: with calls in flight it does not end.
"""

import asyncio
import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from multiprocessing.connection import wait
from typing import cast

import hypercorn.asyncio.run
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.config import Config
from hypercorn.typing import ASGIFramework
from restate.server import install_shutdown_hook
from restate.server_types import RestateAppT

from flask_restate.ledger import Ledger
from flask_restate.settings import EndpointSettings

# Restate keeps few connections, long-lived and with many calls at once. It has limits of its own.
UNLIMITED = 2**31 - 1
# How many connections the kernel keeps until they are accepted.
BACKLOG = 1024
# How long a stop waits for running steps. They take milliseconds, and Restate repeats one that is cut off.
GRACE_SECONDS = 1.0

log = logging.getLogger(__name__)


class _TCPServer(TCPServer):
    """One connection, closed when its client has closed it: hypercorn waits for the end of keep_alive_timeout."""

    async def _read_data(self) -> None:
        await super()._read_data()
        await self.idle_task.stop()


def serve(
    app: RestateAppT,
    settings: EndpointSettings,
    *,
    threads: int,
    ledger: Ledger | None = None,
    at_end: Callable[[], object] = int,
) -> None:
    """Serve until SIGTERM or SIGINT, then end within seconds even with calls in flight: Restate repeats those.

    `threads` is how many steps each process runs at once: as many as its pool has connections. The ledger is purged.
    `at_end` is called in each process when it serves no more, and has a second; what is registered with atexit is not.
    Raises SystemExit: the port is not available, or a worker has ended.
    """
    for logger in ("restate.server", "restate.server_context", log.name):
        logging.getLogger(logger).addFilter(_is_news)
    listener = _listen(settings)

    def work() -> None:
        if ledger:
            retention = timedelta(days=settings.ledger_retention_days)
            threading.Thread(target=ledger.keep_purged, args=(retention,), daemon=True).start()
        asyncio.run(_serve(app, listener, threads, at_end))

    if settings.restate_service_workers == 1:
        work()
    else:
        # The connections of the pool stay with this process.
        os.register_at_fork(after_in_child=ledger.forget_connections if ledger else int)
        _supervise(work, settings.restate_service_workers)


def _listen(settings: EndpointSettings) -> socket.socket:
    if handed_down := settings.restate_service_socket:
        try:
            return socket.socket(fileno=int(handed_down.removeprefix("fd://")))
        except (OSError, OverflowError) as error:
            raise SystemExit(f"{handed_down} (RESTATE_SERVICE_SOCKET): {error}") from None
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.restate_service_port), family=family, backlog=BACKLOG)
    except OSError as error:
        where = f"{settings.host}:{settings.restate_service_port} (HOST, RESTATE_SERVICE_PORT)"
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise SystemExit(f"{where}: {why}") from None


async def _serve(app: RestateAppT, listener: socket.socket, threads: int, at_end: Callable[[], object]) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    # Steps run in the loop's default executor.
    loop.set_default_executor(ThreadPoolExecutor(threads, thread_name_prefix="step"))

    def end() -> None:
        # Each call that is cut off now would be a traceback.
        logging.disable()
        stop.set()
        loop.call_later(2 * GRACE_SECONDS, os._exit, 0)

    # The SDK installs its own handler of SIGTERM at the first request; with its hook, both are called.
    install_shutdown_hook(loop, end, signal.SIGTERM)
    loop.add_signal_handler(signal.SIGINT, signal.raise_signal, signal.SIGTERM)
    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.errorlog = log
    config.graceful_timeout = GRACE_SECONDS
    config.h2_max_concurrent_streams = UNLIMITED
    config.keep_alive_max_requests = UNLIMITED
    config.keep_alive_timeout = UNLIMITED
    # So often asyncio accepts at once, too. Where no file can be opened, each try becomes a retry that tries as often:
    # soon it does nothing else (python/cpython issue 151615).
    config.backlog = 1

    async def stopped() -> None:
        # Called when the server has started, and has set the queue of the kernel to that length.
        listener.listen(BACKLOG)
        await stop.wait()

    hypercorn.asyncio.run.TCPServer = _TCPServer  # type: ignore[attr-defined]  # imported there, not exported
    await hypercorn.asyncio.serve(cast(ASGIFramework, app), config, shutdown_trigger=stopped)
    at_end()
    # Steps that are still running are threads, and asyncio and Python would wait for them.
    os._exit(0)


def _supervise(work: Callable[[], None], count: int) -> None:
    """Run `count` processes that share the listening socket, until a signal arrives. If one ends, all end.

    Whatever started this starts it again: a container engine, systemd, the stack.
    """
    asked, ask = os.pipe()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os.write(ask, b"stop"))
    alive, master = os.pipe()

    def stop_with_master() -> None:
        os.read(alive, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    def worker() -> None:
        os.close(master)
        threading.Thread(target=stop_with_master, daemon=True).start()
        work()

    workers = [multiprocessing.get_context("fork").Process(target=worker) for _ in range(count)]
    for process in workers:
        process.start()
    ended = wait([asked, *(process.sentinel for process in workers)])
    for process in workers:
        process.terminate()
    deadline = time.monotonic() + 2.5 * GRACE_SECONDS
    for process in workers:
        process.join(max(0, deadline - time.monotonic()))
        process.kill()
    sys.exit(0 if asked in ended else "a worker process of the service endpoint has ended")


def _is_news(record: logging.LogRecord) -> bool:
    """Drop the tracebacks of failed attempts, which the Restate server also logs."""
    attempt = ("Exception in do_progress", "Exception in take_notification", "Exception in Restate handler")
    return not record.getMessage().startswith((*attempt, "ASGI Framework Lifespan"))
