"""The next version of the service: add_todo takes a step more, and marks what it adds, so that one sees who did it.

python -m tests.lab.next_version runs it as flask_todo_restate.restate_server runs the current one.
"""

from typing import Any

import restate
from sqlalchemy.orm import Session

from flask_todo_restate import restate_server
from flask_todo_restate.messages import TodoRequest
from flask_todo_restate.services.ledger import once
from flask_todo_restate.services.todo_service import todo_service
from todo_shared import operations
from todo_shared.schemas import TodoData

MARK = " (next version)"

next_service = restate.Service("TodoService", invocation_retry_policy=todo_service.invocation_retry_policy)


@next_service.handler()
async def add_todo(ctx: restate.Context, req: TodoRequest) -> TodoData:
    """Add a todo with a mark."""
    operation_id = ctx.request().id

    def db_add(session: Session) -> dict[str, Any]:
        return TodoData.model_validate(operations.add(session, req.task + MARK, req.order)).model_dump()

    def choose_mark() -> str:
        return MARK

    # In the journal of a call that the current version began, something else is at this place.
    await ctx.run_typed("choose_mark", choose_mark)
    return TodoData(**await ctx.run_typed("db_add", lambda: once(operation_id, db_add)))


for name, handler in todo_service.handlers.items():
    next_service.handlers.setdefault(name, handler)

if __name__ == "__main__":
    # restate_server serves the service that it finds under this name.
    setattr(restate_server, "todo_service", next_service)  # noqa: B010 - mypy knows no assignment to an import
    restate_server.main()
