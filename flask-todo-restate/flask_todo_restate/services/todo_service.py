"""The TodoService: every write is one durable step around an operation that both twins share."""

import uuid
from datetime import timedelta

import restate
from sqlalchemy.orm import Session

from flask_restate import OPERATION_HEADER, call_id, durable_service, to_its_end
from flask_todo_restate.services import meeting
from flask_todo_restate.services.database import ledger
from flask_todo_restate.services.notification import notify
from flask_todo_restate.settings import TodoServiceSettings
from todo_shared import operations
from todo_shared.features.schemas import CompletedRequest, DeletedData, MeetingData
from todo_shared.schemas import (
    ClearedData,
    ClearRequest,
    TodoData,
    TodoItemRequest,
    TodoRequest,
    TodoUpdateRequest,
    UpdatedData,
)
from todo_shared.settings import load

settings = load(TodoServiceSettings)
todo_service = durable_service("TodoService", settings)


@todo_service.handler()
async def add_todo(ctx: restate.Context, req: TodoRequest) -> TodoData:
    """Add a todo and return it."""

    def db_add(session: Session) -> TodoData:
        return operations.add(session, req.task, req.order)

    return await ctx.run_typed("db_add", ledger.once(ctx, db_add))


@todo_service.handler()
async def update_todo(ctx: restate.Context, req: TodoUpdateRequest) -> UpdatedData:
    """Change a todo and return it; 404 if none has this id. If this completes it, its watcher is told."""

    def db_update(session: Session) -> UpdatedData:
        return operations.update(session, req.todo_id, req.given())

    step = ctx.run_typed("db_update", ledger.once(ctx, db_update))
    # An operator's cancel does not interrupt what may complete it: that may be done already, and its watcher be told.
    todo = await (to_its_end(step) if req.completed else step)
    if todo.completion:
        # The same if this call is made anew, when the ledger tells what was completed then.
        key = str(uuid.uuid5(uuid.NAMESPACE_URL, call_id(ctx)))
        told = CompletedRequest.of(todo, todo.completion, key)
        ctx.service_send(notify, told, idempotency_key=key, headers={OPERATION_HEADER: f"notify/{key}"})
    return todo


@todo_service.handler()
async def delete_todo(ctx: restate.Context, req: TodoItemRequest) -> None:
    """Delete a todo; 404 if none has this id, 503 if it did not succeed in the time allowed."""

    def db_delete(session: Session) -> MeetingData | None:
        return operations.delete(session, req.todo_id)

    bounded = restate.RunOptions[MeetingData | None](
        max_duration=timedelta(seconds=settings.delete_max_duration_seconds),
        initial_retry_interval=timedelta(seconds=settings.retry_initial_interval_seconds),
        max_retry_interval=timedelta(seconds=settings.retry_max_interval_seconds),
    )
    try:
        # An operator's cancel does not interrupt it: what it had must be undone.
        left = await to_its_end(ctx.run_typed("db_delete", ledger.once(ctx, db_delete), bounded))
    except restate.TerminalError as error:
        if error.status_code != 500:
            raise
        # The last attempt may have committed although its answer was lost, so "not deleted" would be a guess.
        ctx.service_send(finish_deletion, req, headers={OPERATION_HEADER: call_id(ctx)})
        raise restate.TerminalError(
            f"The todo could not be deleted within {settings.delete_max_duration_seconds:g} s, or it is unknown "
            "whether it was. Please check the list before you try again.",
            status_code=503,
        ) from error
    if left:
        ctx.workflow_send(meeting.cancel, key=left.id, arg=left)


@todo_service.handler()
async def finish_deletion(ctx: restate.Context, req: TodoItemRequest) -> None:
    """Undo what a todo has left, if its deletion, whose operation id this has, succeeded and nobody was told."""

    def db_delete(session: Session) -> MeetingData | None:
        # A deletion that is still under way, in a database that was frozen, is waited for. Then the ledger looks for
        # the row of one that did succeed.
        operations.lock(session, req.todo_id, key_share=False)
        raise operations.TodoNotFoundError(req.todo_id)

    if left := await to_its_end(ctx.run_typed("db_delete", ledger.once(ctx, db_delete))):
        ctx.workflow_send(meeting.cancel, key=left.id, arg=left)


@todo_service.handler()
async def clear_todos(ctx: restate.Context, req: ClearRequest) -> ClearedData:
    """Delete all todos, and return which had to be kept."""
    del req  # Requiring a message protects from links on other web pages, which cannot send one.
    return await _clear(ctx, only_completed=False)


@todo_service.handler()
async def clear_completed(ctx: restate.Context, req: ClearRequest) -> ClearedData:
    """Delete the completed todos, and return which had to be kept."""
    del req
    return await _clear(ctx, only_completed=True)


async def _clear(ctx: restate.Context, *, only_completed: bool) -> ClearedData:
    def db_clear(session: Session) -> DeletedData:
        return operations.clear(session, only_completed=only_completed)

    deleted = await to_its_end(ctx.run_typed("db_clear", ledger.once(ctx, db_clear)))
    for left in deleted.meetings:
        ctx.workflow_send(meeting.cancel, key=left.id, arg=left)
    return ClearedData(kept=deleted.kept)
