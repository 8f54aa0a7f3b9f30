"""The web application: starts the workflow and waits for its result."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from flask import Flask
from temporalio.client import Client, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from tests.costs.peers.temporal_peer.workflows import QUEUE, AddTodo
from tests.costs.peers.web import PeerSettings, PendingError, build
from todo_shared.schemas import TodoData, TodoRequest
from todo_shared.settings import load

Result = TypeVar("Result")


class TemporalSettings(PeerSettings):
    """What the web application reads from the environment."""

    temporal_address: str
    """host:port of the Temporal server."""


class Loop:
    """An event loop in a thread of its own: Temporal's client is asynchronous, and Flask's routes are not."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="temporal", daemon=True).start()

    def run(self, work: Coroutine[Any, Any, Result], timeout: float | None = None) -> Result:
        """Return the result of a coroutine; raises TimeoutError after so many seconds."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout)


def create_app() -> Flask:
    """Return the application, connected to the Temporal server."""
    settings = load(TemporalSettings)
    loop = Loop()
    client = loop.run(Client.connect(settings.temporal_address))

    async def start(new: TodoRequest, key: str) -> WorkflowHandle[AddTodo, dict[str, Any]]:
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

    def add(new: TodoRequest, key: str) -> TodoData:
        workflow = loop.run(start(new, key))
        try:
            return TodoData(**loop.run(workflow.result(), settings.write_budget))
        except TimeoutError:
            raise PendingError(key) from None

    return build("flask-todo-temporal", settings, add)
