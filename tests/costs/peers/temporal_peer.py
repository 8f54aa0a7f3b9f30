"""The durable add with Temporal: a workflow with one activity, run by a worker, and a web that waits for its result.

    python -m tests.costs.peers.temporal_peer    # runs the worker

A local activity, as Temporal advises for short ones: it runs where its workflow does, and saves a round trip. It is run
again if its worker dies before the server has its result: at least once.
"""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.common import RetryPolicy, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.worker import Worker

# Temporal loads this file anew for each workflow, but not what is none of the workflow's business.
with workflow.unsafe.imports_passed_through():
    from flask import Flask

    from tests.costs.peers import sketch
    from tests.costs.peers.sketch import settings, web_application
    from todo_shared.schemas import TodoRequest

QUEUE = "todo"
RETRIES = RetryPolicy(initial_interval=timedelta(milliseconds=50), maximum_interval=timedelta(seconds=1))


@activity.defn
def insert_todo(task: str, order: int | None) -> dict[str, Any]:
    """Insert the todo."""
    with sketch.sessions.begin() as session:
        return sketch.insert_todo(session, task, order)


@workflow.defn
class AddTodo:
    """Adds a todo and returns it."""

    @workflow.run
    async def run(self, task: str, order: int | None) -> dict[str, Any]:
        """Run the activity until it succeeds."""
        return await workflow.execute_local_activity(
            insert_todo, args=[task, order], start_to_close_timeout=timedelta(seconds=10), retry_policy=RETRIES
        )


async def work() -> None:
    """Run workflows and activities until SIGTERM, which ends the process: what was begun is repeated by the next."""
    client = await Client.connect(settings.server_address)
    # One thread for each connection to the database.
    with ThreadPoolExecutor(settings.db_pool_size) as threads:
        async with Worker(
            client, task_queue=QUEUE, workflows=[AddTodo], activities=[insert_todo], activity_executor=threads
        ):
            print("ready", flush=True)
            await asyncio.Event().wait()


async def start(client: Client, new: TodoRequest, key: str) -> WorkflowHandle[AddTodo, dict[str, Any]]:
    """Start the workflow with this key, or find the one that was started."""
    try:
        return await client.start_workflow(
            AddTodo.run,
            args=[new.task, new.order],
            id=key,
            task_queue=QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
    except WorkflowAlreadyStartedError:
        return client.get_workflow_handle(key)


def create_app() -> Flask:
    """Return the web application. The client runs in a thread: it is asynchronous, and Flask's routes are not."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="temporal", daemon=True).start()
    client = asyncio.run_coroutine_threadsafe(Client.connect(settings.server_address), loop).result()

    def add(new: TodoRequest, key: str) -> dict[str, Any]:
        started = asyncio.run_coroutine_threadsafe(start(client, new, key), loop).result()
        return asyncio.run_coroutine_threadsafe(started.result(), loop).result(settings.write_budget)

    return web_application("flask-todo-temporal", add)


if __name__ == "__main__":
    asyncio.run(work())
