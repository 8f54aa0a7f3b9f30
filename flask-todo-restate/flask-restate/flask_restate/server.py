"""Serves handlers to Restate with hypercorn, and stops without hanging.

`hypercorn --bind 127.0.0.1:9080 your_module:app` also works. It lacks one thread per database connection for steps, and
the purge of the ledger; and when it is stopped, it waits for calls in flight.
"""

import asyncio
import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import wait
from typing import cast

import hypercorn.asyncio
from hypercorn.config import Config
from hypercorn.typing import ASGIFramework
from restate.server import install_shutdown_hook
from restate.server_types import RestateAppT

from flask_restate.settings import EndpointSettings

UNLIMITED = 2**31 - 1
"""Restate keeps few connections, long-lived and with many calls at once. It has limits of its own."""

GRACE_SECONDS = 1.0
"""How long a stop waits for running steps. They take milliseconds, and Restate repeats one that is cut off."""

log = logging.getLogger(__name__)


def serve(
    app: RestateAppT, settings: EndpointSettings, *, threads: int, background: Sequence[Callable[[], None]] = ()
) -> None:
    """Serve until SIGTERM or SIGINT, then end within seconds even with calls in flight: Restate repeats those.

    Args:
        app: what restate.app() returns.
        settings: address, port and number of processes.
        threads: how many steps each process runs at once; as many as its pool has connections.
        background: functions that run for ever; each process runs each of them in a thread.

    Raises:
        SystemExit: the port is not available, or a worker has ended.

    """
    for logger in ("restate.server", "restate.server_context", log.name):
        logging.getLogger(logger).addFilter(_is_news)
    try:
        listener = socket.create_server((settings.host, settings.restate_service_port), backlog=1024)
    except OSError as error:
        address = f"{settings.host}:{settings.restate_service_port}"
        raise SystemExit(f"{address} (HOST, RESTATE_SERVICE_PORT): {os.strerror(error.errno or 0)}") from None

    async def work() -> None:
        # Steps run in the loop's default executor.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(threads, thread_name_prefix="step"))
        for task in background:
            threading.Thread(target=task, daemon=True).start()
        await _serve(app, listener)

    if settings.restate_service_workers == 1:
        asyncio.run(work())
    _supervise(lambda: asyncio.run(work()), settings.restate_service_workers)


async def _serve(app: RestateAppT, listener: socket.socket) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        # The SDK installs its own signal handler at the first request; with its hook, both are called.
        install_shutdown_hook(loop, stop.set, number)
    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.errorlog = log
    config.graceful_timeout = GRACE_SECONDS
    config.h2_max_concurrent_streams = UNLIMITED
    config.keep_alive_max_requests = UNLIMITED
    config.keep_alive_timeout = UNLIMITED
    await hypercorn.asyncio.serve(cast(ASGIFramework, app), config, shutdown_trigger=stop.wait)
    logging.shutdown()
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

    def worker() -> None:
        os.close(master)
        threading.Thread(target=_stop_at_end_of, args=(alive,), daemon=True).start()
        work()

    workers = [multiprocessing.get_context("fork").Process(target=worker) for _ in range(count)]
    for process in workers:
        process.start()
    ended = wait([asked, *(process.sentinel for process in workers)])
    for process in workers:
        process.terminate()
    for process in workers:
        process.join(2 * GRACE_SECONDS)
        process.kill()
    sys.exit(0 if asked in ended else "a worker process of the service endpoint has ended")


def _stop_at_end_of(pipe: int) -> None:
    """Stop this process when the process that holds the other end of the pipe has died."""
    os.read(pipe, 1)
    os.kill(os.getpid(), signal.SIGTERM)


def _is_news(record: logging.LogRecord) -> bool:
    """Drop the tracebacks of failed attempts, which the Restate server also logs."""
    return not record.getMessage().startswith(("Exception in ", "ASGI Framework Lifespan"))
