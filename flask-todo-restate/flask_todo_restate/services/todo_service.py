"""The TodoService: every write is one durable step around the operation that both twins share."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import restate
from sqlalchemy.exc import DataError
from sqlalchemy.orm import Session

from flask_todo_restate.messages import TodoItemRequest, TodoRequest, TodoUpdateRequest
from flask_todo_restate.services.ledger import Change, once
from flask_todo_restate.settings import RetrySettings
from todo_shared import operations
from todo_shared.models import Todo
from todo_shared.models.database import DATABASE_UNAVAILABLE
from todo_shared.schemas import TodoData
from todo_shared.settings import load

retries = load(RetrySettings)
RETRY_INITIAL_INTERVAL = timedelta(seconds=retries.retry_initial_interval_seconds)
RETRY_MAX_INTERVAL = timedelta(seconds=retries.retry_max_interval_seconds)
DELETE_MAX_DURATION = timedelta(seconds=retries.delete_max_duration_seconds)


class DatabaseUnavailableError(Exception):
    """The database cannot do it now."""


todo_service = restate.Service(
    "TodoService",
    inactivity_timeout=timedelta(seconds=retries.step_inactivity_timeout_seconds),
    abort_timeout=timedelta(seconds=retries.step_abort_timeout_seconds),
    invocation_retry_policy=restate.InvocationRetryPolicy(
        initial_interval=RETRY_INITIAL_INTERVAL,
        exponentiation_factor=2,
        max_interval=RETRY_MAX_INTERVAL,
        max_attempts=retries.retry_max_attempts,
    ),
)


@todo_service.handler()
async def add_todo(ctx: restate.Context, req: TodoRequest) -> TodoData:
    """Add a todo and return it."""

    def db_add(session: Session) -> dict[str, Any]:
        return _data(operations.add(session, req.task, req.order))

    return TodoData(**await ctx.run_typed("db_add", _step(ctx, "db_add", db_add)))


@todo_service.handler()
async def update_todo(ctx: restate.Context, req: TodoUpdateRequest) -> TodoData:
    """Change a todo and return it; 404 if there is none with this id."""

    def db_update(session: Session) -> dict[str, Any]:
        return _data(operations.update(session, req.todo_id, req.given()))

    return TodoData(**await ctx.run_typed("db_update", _step(ctx, "db_update", db_update)))


@todo_service.handler()
async def delete_todo(ctx: restate.Context, req: TodoItemRequest) -> None:
    """Delete a todo; 404 if there is none with this id, 503 if it could not be done in the time that it is given."""

    def db_delete(session: Session) -> None:
        operations.delete(session, req.todo_id)

    bounded = restate.RunOptions[None](
        max_duration=DELETE_MAX_DURATION,
        initial_retry_interval=RETRY_INITIAL_INTERVAL,
        max_retry_interval=RETRY_MAX_INTERVAL,
    )
    try:
        await ctx.run_typed("db_delete", _step(ctx, "db_delete", db_delete), bounded)
    except restate.TerminalError as error:
        if error.status_code != 500:
            raise
        # The last attempt may have committed without an answer, so "it was not deleted" would be a guess.
        raise restate.TerminalError(
            f"The todo could not be deleted within {retries.delete_max_duration_seconds:g} s, or it is not "
            "known whether it was. Please look at the list before you try again.",
            status_code=503,
        ) from error


@todo_service.handler()
async def clear_todos(ctx: restate.Context) -> None:
    """Delete all todos."""
    await ctx.run_typed("db_clear", _step(ctx, "db_clear", operations.clear))


def _step(ctx: restate.Context, name: str, change: Change) -> Callable[[], Any]:
    """Return the step of this name that makes this change once, however often Restate runs it.

    Whatever it raises is repeated, but for what no repeat can mend: that ends the call with a TerminalError.
    """
    # The id of the call is the same in every repeat. (Inside the step the context must not be used.)
    operation_id = f"{ctx.request().id}/{name}"

    def step() -> Any:  # noqa: ANN401 - any JSON
        try:
            return once(operation_id, change)
        except operations.TodoNotFoundError as error:
            raise restate.TerminalError(str(error), status_code=404) from error
        except DATABASE_UNAVAILABLE as error:
            # Restate repeats it, and logs it each time: one line says enough.
            raise DatabaseUnavailableError(str(error).partition("\n")[0]) from None
        except DataError as error:
            raise restate.TerminalError(f"The database cannot hold this: {error.orig}", status_code=422) from error

    return step


def _data(todo: Todo) -> dict[str, Any]:
    return TodoData.model_validate(todo).model_dump()
