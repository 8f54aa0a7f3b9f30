"""The worker: runs the workflows and their activities."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from temporalio.client import Client
from temporalio.worker import Worker

from tests.costs.peers.temporal_peer.workflows import QUEUE, AddTodo, insert_todo
from todo_shared.settings import DatabaseSettings, load


class WorkerSettings(DatabaseSettings):
    """What the worker reads from the environment."""

    temporal_address: str
    """host:port of the Temporal server."""


async def main() -> None:
    """Work until SIGTERM, which ends the process: what was begun is repeated by the next."""
    settings = load(WorkerSettings)
    client = await Client.connect(settings.temporal_address)
    # One thread for each connection to the database.
    with ThreadPoolExecutor(settings.db_pool_size) as executor:
        worker = Worker(
            client, task_queue=QUEUE, workflows=[AddTodo], activities=[insert_todo], activity_executor=executor
        )
        async with worker:
            print("ready", flush=True)
            await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
