"""Serves the TodoService to Restate: the ASGI application and the process around it."""

import asyncio
import contextlib
import logging
import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import cast

import restate
from hypercorn.asyncio import serve
from hypercorn.config import Config
from hypercorn.typing import ASGIFramework
from restate.server import install_shutdown_hook
from sqlalchemy.exc import SQLAlchemyError

from flask_todo_restate.services import ledger
from flask_todo_restate.services.todo_service import todo_service
from flask_todo_restate.settings import ServiceSettings
from todo_shared.settings import load

PURGE_INTERVAL_SECONDS = 600
GRACE_SECONDS = 2
"""How long a stop waits for steps that run: they take milliseconds, and one that is cut off is repeated."""

log = logging.getLogger(__name__)


def create_app(settings: ServiceSettings) -> ASGIFramework:
    """Return the ASGI application; it refuses requests that the Restate server has not signed."""
    return cast(ASGIFramework, restate.app([todo_service], identity_keys=[settings.restate_identity_key]))


def server_config(settings: ServiceSettings) -> Config:
    """Return how hypercorn serves it."""
    config = Config()
    config.bind = [f"{settings.host}:{settings.restate_service_port}"]
    config.loglevel = settings.log_level
    config.errorlog = logging.getLogger("hypercorn")
    config.graceful_timeout = GRACE_SECONDS
    # Restate keeps few connections, each for long and with many calls at once: they must not be recycled.
    # Values as Restate's documentation for hypercorn asks.
    config.h2_max_concurrent_streams = 2**31 - 1
    config.keep_alive_max_requests = 2**31 - 1
    config.keep_alive_timeout = 2**31 - 1
    return config


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
    serving = asyncio.create_task(serve(create_app(settings), server_config(settings), shutdown_trigger=stop.wait))
    stopping = asyncio.create_task(stop.wait())
    # It ends by itself only with an error, such as a port that is taken.
    await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
    # From Python 3.12 on hypercorn would wait here, without limit, until Restate closes its idle connection.
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(serving, GRACE_SECONDS)
    stopping.cancel()
    purge.cancel()


def main() -> None:
    """Run the service endpoint with settings from the environment."""
    settings = load(ServiceSettings)
    logging.basicConfig(level=settings.log_level.upper(), format="%(levelname)s %(name)s: %(message)s")
    # The SDK has no lifespan, and hypercorn warns of that at each start as if it mattered.
    logging.getLogger("hypercorn").addFilter(lambda record: "Lifespan" not in record.getMessage())
    asyncio.run(run(settings))


if __name__ == "__main__":
    main()
