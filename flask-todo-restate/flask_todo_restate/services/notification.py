"""Tell the watcher: a todo that is completed is told to its watcher, and nobody waits for that."""

from datetime import timedelta

import restate
from sqlalchemy.orm import Session

from flask_restate import durable_service, to_its_end, translated
from flask_todo_restate.services.database import ledger
from todo_shared.features import watcher
from todo_shared.features.outside import OutsideWorld
from todo_shared.features.schemas import CompletedRequest, WatcherData, WatcherRequest
from todo_shared.schemas import TodoItemRequest

TRIED = restate.RunOptions[None](
    max_duration=timedelta(days=1),
    initial_retry_interval=timedelta(milliseconds=50),
    max_retry_interval=timedelta(seconds=1),
)
"""A stranger's server may be gone for good, so its call is not repeated for ever."""

log = restate.getLogger(__name__)  # type: ignore[no-untyped-call]  # the SDK's
world = OutsideWorld("restate")
notification_service = durable_service("NotificationService")


@notification_service.handler()
async def set_watcher(ctx: restate.Context, req: WatcherRequest) -> WatcherData:
    """Set the watcher."""

    def db_watcher(session: Session) -> WatcherData:
        return watcher.set_watcher(session, req)

    return await ctx.run_typed("db_watcher", ledger.once(ctx, db_watcher))


@notification_service.handler()
async def drop_watcher(ctx: restate.Context, req: TodoItemRequest) -> None:
    """Take the watcher away."""

    def db_drop(session: Session) -> None:
        watcher.drop_watcher(session, req.todo_id)

    await ctx.run_typed("db_drop", ledger.once(ctx, db_drop))


@notification_service.handler()
async def notify(ctx: restate.Context, req: CompletedRequest) -> None:
    """Call the watcher; that it refuses is logged and shown."""

    def call() -> None:
        watcher.call(world, req)

    def db_called(session: Session) -> None:
        watcher.record_call(session, req, error)

    error = None
    try:
        await to_its_end(ctx.run_typed("call", translated(call), TRIED))
    except restate.TerminalError as failure:
        log.warning("the watcher of todo %d was not told: %s", req.todo_id, failure.message)
        error = failure.message if failure.status_code == 409 else "It does not answer as it should."
    await to_its_end(ctx.run_typed("db_called", ledger.once(ctx, db_called)))
