"""Serves handlers to Restate with granian, and stops without hanging.

`hypercorn --bind 127.0.0.1:9080 your_module:app` also works. It takes more of the processor for each call, and lacks
the settings below that are UNLIMITED, a number of steps at once that suits the database, the purge of the ledger, and a
stop: with calls in flight it does not end. uvloop takes less than asyncio's own loop.
"""

import asyncio
import gc
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

import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP2Settings
from granian.net import SocketHolder  # type: ignore[attr-defined]  # from its library in Rust
from granian.server.embed import Server
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
# After how many new objects Python looks for garbage cycles; it does so after 700 or 2,000 by default, which takes
# several percent of the processor. What was there at the start is not looked at.
ALLOCATIONS = 20_000

log = logging.getLogger(__name__)


class _Server(Server):
    """Serves in this process and its event loop, on a socket that listens already.

    granian calls it experimental to be embedded so. SocketHolder is its own, too: look at both when it is upgraded.
    """

    def __init__(self, app: RestateAppT, listener: socket.socket) -> None:
        super().__init__(
            app,
            interface=Interfaces.ASGINL,  # The SDK has no lifespan.
            http=HTTPModes.auto,
            http2_settings=HTTP2Settings(max_concurrent_streams=UNLIMITED),
            backpressure=UNLIMITED,
            websockets=False,
            log_enabled=False,
        )
        self._listener = listener

    def _init_shared_socket(self) -> None:
        # Its own way to listen takes an address, not the socket that whoever started us may share among several.
        self._shd = SocketHolder(self._listener.detach(), False, BACKLOG)  # type: ignore[assignment, call-arg]  # its stub


def serve(
    app: RestateAppT,
    settings: EndpointSettings,
    *,
    threads: int | ThreadPoolExecutor,
    ledger: Ledger | None = None,
    at_end: Callable[[], object] = int,
) -> None:
    """Serve until SIGTERM or SIGINT, then end within seconds even with calls in flight: Restate repeats those.

    `threads` is how many steps each process runs at once: as many as its pool has connections. Or it is a pool of them,
    which has not begun: each process has one of its own. The ledger is purged.
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
        gc.freeze()
        gc.set_threshold(ALLOCATIONS)
        uvloop.run(_serve(app, listener, threads, at_end))

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


async def _serve(
    app: RestateAppT, listener: socket.socket, threads: int | ThreadPoolExecutor, at_end: Callable[[], object]
) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    pool = threads if isinstance(threads, ThreadPoolExecutor) else ThreadPoolExecutor(threads, "step")
    # Steps run in the loop's default executor.
    loop.set_default_executor(pool)

    def end() -> None:
        # Each call that is cut off now would be a traceback.
        logging.disable()
        stop.set()
        loop.call_later(2 * GRACE_SECONDS, os._exit, 0)

    # The SDK installs its own handler of SIGTERM at the first request; with its hook, both are called.
    install_shutdown_hook(loop, end, signal.SIGTERM)
    loop.add_signal_handler(signal.SIGINT, signal.raise_signal, signal.SIGTERM)
    # An answer is several small writes: the kernel would keep the second until the first is acknowledged, often for
    # 40 ms. Connections have it from the socket that accepts them.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
    host, port = listener.getsockname()[:2]
    log.info("Running on http://%s:%d", f"[{host}]" if ":" in host else host, port)
    server = _Server(app, listener)
    serving = asyncio.create_task(server.serve())
    # It does not end by itself, unless something is wrong.
    serving.add_done_callback(lambda _: stop.set())
    await stop.wait()
    failed = serving.done()
    if failed:
        log.error("the server has ended", exc_info=serving.exception())
    server.stop()  # type: ignore[no-untyped-call]  # granian's
    await asyncio.wait([serving], timeout=GRACE_SECONDS)
    at_end()
    # Steps that are still running are threads, and asyncio and Python would wait for them.
    os._exit(int(failed))


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
