"""Who is told that a todo is completed, on a session. These functions do not commit: the caller does."""

from sqlalchemy import delete, func, update
from sqlalchemy.dialects.postgresql import insert

from todo_shared import operations
from todo_shared.features import webhook
from todo_shared.features.errors import NotSetError
from todo_shared.features.moments import shown
from todo_shared.features.outside import OutsideWorld
from todo_shared.features.schemas import CompletedRequest, WatcherData, WatcherRequest
from todo_shared.models import Watcher
from todo_shared.operations import AnySession
from todo_shared.thread_pool import aside

NONE = "Nobody watches this todo."


def find_watcher(session: AnySession, todo_id: int) -> Watcher | None:
    """Return a todo's watcher, if it has one."""
    return session.get(Watcher, todo_id) if operations.is_storable(todo_id) else None


def set_watcher(session: AnySession, req: WatcherRequest) -> WatcherData:
    """Let this URL be called, in the place of another; raises operations.TodoNotFoundError."""
    operations.lock(session, req.todo_id)
    values = {"url": req.url, "called_at": None, "error": None}
    new = insert(Watcher).values(todo_id=req.todo_id, **values)
    session.execute(new.on_conflict_do_update(index_elements=["todo_id"], set_=values))
    return WatcherData(**values)


def drop_watcher(session: AnySession, todo_id: int) -> None:
    """Let nobody be called. Raises NotSetError."""
    storable = operations.is_storable(todo_id)
    dropped = delete(Watcher).where(Watcher.todo_id == todo_id).returning(Watcher.todo_id)
    if not storable or session.scalar(dropped) is None:
        raise NotSetError(NONE)


def record_call(session: AnySession, req: CompletedRequest, error: str | None) -> None:
    """Record how the call went; of a watcher that was changed or dropped meanwhile, nothing."""
    called = update(Watcher).where(Watcher.todo_id == req.todo_id, Watcher.url == req.url)
    session.execute(called.values(called_at=func.now(), error=error))


def call(world: OutsideWorld, req: CompletedRequest) -> None:
    """Tell the watcher, once for each completion; raises as webhook.call() does."""
    body = {"todo": req.todo_id, "title": req.title, "completed_at": shown(req.completed_at)}
    headers = {"Idempotency-Key": req.key, "Reference": world.reference(req.todo_id)}
    with aside():
        webhook.call(req.url, body, headers)
