"""Serves the TodoService to Restate: the ASGI application and the process around it."""

import asyncio
import contextlib
import logging
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import restate
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP2Settings
from granian.log import LogLevels
from granian.server.embed import Server
from restate.server import install_shutdown_hook
from restate.server_types import RestateAppT
from sqlalchemy.exc import SQLAlchemyError

from flask_todo_restate.services import ledger
from flask_todo_restate.services.todo_service import todo_service
from flask_todo_restate.settings import ServiceSettings
from todo_shared.settings import load

PURGE_INTERVAL_SECONDS = 600
GRACE_SECONDS = 2
"""How long a stop waits for steps that run: they take milliseconds, and one that is cut off is repeated."""

log = logging.getLogger(__name__)


def create_app(settings: ServiceSettings) -> RestateAppT:
    """Return the ASGI application; it refuses requests that the Restate server has not signed."""
    return restate.app([todo_service], identity_keys=[settings.restate_identity_key])


def create_server(settings: ServiceSettings) -> Server:
    """Return what serves it.

    Granian, because its HTTP/2 is not written in Python: with hypercorn a step takes a quarter more of the processor.
    Embedded, so that the process is one and its signals are ours.
    """
    return Server(
        create_app(settings),
        address=settings.host,
        port=settings.restate_service_port,
        # Without a lifespan: the SDK's application has none.
        interface=Interfaces.ASGINL,
        # HTTP/2 for Restate, and HTTP/1 for whoever asks for its health.
        http=HTTPModes.auto,
        websockets=False,
        # Restate keeps few connections, each with as many calls at once as it likes: it has limits of its own.
        http2_settings=HTTP2Settings(max_concurrent_streams=2**31 - 1),
        log_level=LogLevels(settings.log_level),
        # Its lines among ours, instead of in a form of their own on standard output.
        log_dictconfig={"loggers": {"_granian": {"propagate": True}}},
    )


def check_port(settings: ServiceSettings) -> None:
    """Make sure that the port can be had: Granian would panic.

    Raises:
        SystemExit: it is taken, or the address is not of this machine.

    """
    try:
        socket.create_server((settings.host, settings.restate_service_port)).close()
    except OSError as error:
        raise SystemExit(
            f"{settings.host}:{settings.restate_service_port} (HOST, RESTATE_SERVICE_PORT): {error.strerror}"
        ) from None


async def purge_ledger(settings: ServiceSettings) -> None:
    """Delete old rows of the ledger, now and then for ever."""
    while True:
        await asyncio.sleep(PURGE_INTERVAL_SECONDS)
        try:
            purged = await asyncio.to_thread(ledger.purge, timedelta(days=settings.ledger_retention_days))
            log.info("purged %d rows of the ledger", purged)
        except SQLAlchemyError as error:
            log.warning("could not purge the ledger, will try again: %s", error)


async def run(settings: ServiceSettings) -> None:
    """Serve until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        # The SDK installs a handler of its own at its first request; through its hook both are called.
        install_shutdown_hook(loop, stop.set, number)
    # Steps run in the loop's default executor: one thread for each connection to the database.
    loop.set_default_executor(ThreadPoolExecutor(settings.db_pool_size, thread_name_prefix="step"))
    purge = asyncio.create_task(purge_ledger(settings))
    server = create_server(settings)
    serving = asyncio.create_task(server.serve())
    stopping = asyncio.create_task(stop.wait())
    # It ends by itself only with an error, such as a port that is taken.
    await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
    server.stop()  # type: ignore[no-untyped-call]
    # It would wait, without limit, until Restate closes its idle connections.
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(serving, GRACE_SECONDS)
    stopping.cancel()
    purge.cancel()


def main() -> None:
    """Run the service endpoint with settings from the environment."""
    settings = load(ServiceSettings)
    check_port(settings)
    logging.basicConfig(level=settings.log_level.upper(), format="%(levelname)s %(name)s: %(message)s")
    # Granian's authors call embedding experimental, at each start. Its version is pinned, and the lab tries it.
    logging.getLogger("_granian").addFilter(lambda record: "experimental" not in record.getMessage())
    asyncio.run(run(settings))


if __name__ == "__main__":
    main()
