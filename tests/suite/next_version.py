"""The next version of the service: add_todo takes a step more, and marks what it adds, so that one sees who did it.

python -m tests.suite.next_version runs it as flask_todo_restate.restate_server runs the current one.
"""

import restate
from sqlalchemy import text
from sqlalchemy.orm import Session

from flask_restate import durable_service, serve
from flask_todo_restate.services.database import ledger
from flask_todo_restate.services.todo_service import todo_service
from flask_todo_restate.settings import ServiceSettings
from todo_shared import operations
from todo_shared.schemas import TodoData, TodoRequest
from todo_shared.settings import load

MARK = " (next version)"

EXPAND, CONTRACT = "ALTER TABLE todo ADD added_by text", "ALTER TABLE todo DROP added_by"
"""It needs another column, which the current version does not know."""

next_service = durable_service("TodoService")


@next_service.handler()
async def add_todo(ctx: restate.Context, req: TodoRequest) -> TodoData:
    """Add a todo with a mark."""

    def db_add(session: Session) -> TodoData:
        todo = operations.add(session, req.task + MARK, req.order)
        session.execute(text("UPDATE todo SET added_by = 'the next version' WHERE id = :id"), {"id": todo.id})
        return todo

    def choose_mark() -> str:
        return MARK

    # In the journal of a call that the current version began, something else is at this place.
    await ctx.run_typed("choose_mark", choose_mark)
    return await ctx.run_typed("db_add", ledger.once(ctx, db_add))


for name, handler in todo_service.handlers.items():
    next_service.handlers.setdefault(name, handler)

if __name__ == "__main__":
    settings = load(ServiceSettings)
    serve(restate.app([next_service], identity_keys=[settings.restate_identity_key]), settings, threads=8)
