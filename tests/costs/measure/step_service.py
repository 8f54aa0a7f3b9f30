"""A service beside the TodoService: the floor of a durable add, and an add without ctx.run.

python -m tests.costs.measure.step_service    # with the environment of the Restate twin's own service endpoint

It is served as the twin's own, with the same settings and checks. Its handlers are called at Restate's ingress: what
the web takes is in the plain add, to which the floor adds the step.
"""

import asyncio
from collections.abc import Callable

import restate
from sqlalchemy.orm import Session

from flask_restate import call_id, durable_service, translated
from flask_todo_restate import restate_server
from flask_todo_restate.services.database import ledger
from flask_todo_restate.services.todo_service import settings
from todo_shared import operations
from todo_shared.schemas import TodoData, TodoRequest

step_service = durable_service("StepService", settings)


def _adding(req: TodoRequest) -> Callable[[Session], TodoData]:
    def db_add(session: Session) -> TodoData:
        return operations.add(session, req.task, req.order)

    return db_add


@step_service.handler()
async def noop(ctx: restate.Context, req: TodoRequest) -> None:
    """Do nothing, in a durable step."""
    del req

    def nothing() -> None:
        """Do nothing."""

    await ctx.run_typed("noop", translated(nothing))


@step_service.handler()
async def with_run(ctx: restate.Context, req: TodoRequest) -> TodoData:
    """Add a todo in a step, as the TodoService does."""
    return await ctx.run_typed("db_add", ledger.once(ctx, _adding(req)))


@step_service.handler()
async def without_run(ctx: restate.Context, req: TodoRequest) -> TodoData:
    """Add a todo without a step: a call that is repeated finds its row in the ledger."""
    return await asyncio.to_thread(ledger.apply, call_id(ctx), _adding(req))


if __name__ == "__main__":
    restate_server.app = restate.app([step_service], identity_keys=[restate_server.settings.restate_identity_key])
    restate_server.main()
