"""The workflow and its one activity.

A local activity, as Temporal advises for short ones: it runs where its workflow does, and saves a round trip.
It is run again if its worker dies before the server has its result: at least once.
"""

from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from tests.costs.peers import database

QUEUE = "todo"


@activity.defn
def insert_todo(task: str, order: int | None) -> dict[str, Any]:
    """Insert the todo."""
    with database.sessions().begin() as session:
        return database.add(session, task, order)


@workflow.defn
class AddTodo:
    """Adds a todo and returns it."""

    @workflow.run
    async def run(self, task: str, order: int | None) -> dict[str, Any]:
        """Run the activity until it succeeds."""
        return await workflow.execute_local_activity(
            insert_todo,
            args=[task, order],
            start_to_close_timeout=timedelta(seconds=10),
            retry_policy=RetryPolicy(
                initial_interval=timedelta(milliseconds=50), maximum_interval=timedelta(seconds=1)
            ),
        )
