"""A service on the article's idea: each write is a step of `ctx.run_typed`, and that is all.

It has no ledger, and a todo that does not exist is a ValueError. Everything else is as in the TodoService, so that a
difference is one of the idea. `hypercorn tests.scenarios.article.article_service:app` runs it, with the settings of the
Restate twin's service endpoint.
"""

from datetime import timedelta

import restate

from flask_todo_restate.services.database import sessions
from todo_shared import operations
from todo_shared.schemas import TodoItemRequest, TodoRequest, TodoUpdateRequest

article_service = restate.Service("ArticleService")


@article_service.handler()
async def add_todo(ctx: restate.Context, req: TodoRequest) -> None:
    """Add a todo in a step."""

    def db_add() -> None:
        with sessions().begin() as session:
            operations.add(session, req.task)

    await ctx.run_typed("db_add", db_add)


@article_service.handler()
async def update_todo(ctx: restate.Context, req: TodoUpdateRequest) -> None:
    """Change a todo in a step that is retried as Restate sees fit."""

    def db_update() -> None:
        with sessions().begin() as session:
            try:
                operations.update(session, req.todo_id, req.given())
            except operations.TodoNotFoundError as error:
                raise ValueError(str(error)) from error

    await ctx.run_typed("db_update", db_update)


@article_service.handler()
async def delete_todo(ctx: restate.Context, req: TodoItemRequest) -> None:
    """Delete a todo in a step with three attempts, for which thirty seconds are meant to be enough."""

    def db_delete() -> None:
        with sessions().begin() as session:
            try:
                operations.delete(session, req.todo_id)
            except operations.TodoNotFoundError as error:
                raise ValueError(str(error)) from error

    three_attempts = restate.RunOptions[None](max_attempts=3, max_retry_duration=timedelta(seconds=30))
    await ctx.run_typed("db_delete", db_delete, three_attempts)


app = restate.app([article_service])
