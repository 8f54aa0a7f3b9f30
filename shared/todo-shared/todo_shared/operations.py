"""The todo operations on a session. The caller owns the transaction: these functions do not commit."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Integer,
    Row,
    Select,
    Table,
    and_,
    any_,
    bindparam,
    func,
    insert,
    literal,
    select,
    true,
)
from sqlalchemy import delete as delete_from
from sqlalchemy import update as update_table
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, scoped_session

from todo_shared.features.carried import carried
from todo_shared.features.errors import ConflictError
from todo_shared.features.schemas import DeletedData, MeetingData
from todo_shared.models import Meeting, Payment, Todo, Watcher
from todo_shared.models.features import UNDONE, UNSETTLED
from todo_shared.schemas import Completion, TodoData, UpdatedData
from todo_shared.validation import INTEGER_MAX

AnySession = Session | scoped_session[Any]
Reader = AnySession | Connection

COUNTED = 1000
"""How many todos are counted at most where counts are only shown."""


class TodoNotFoundError(LookupError):
    """There is no todo with this id."""

    def __init__(self, todo_id: int) -> None:
        super().__init__(f"There is no todo {todo_id}.")


def is_storable(todo_id: int) -> bool:
    """Return whether the column can hold this id. No todo has any other, and PostgreSQL would report an error."""
    return 0 < todo_id <= INTEGER_MAX


def _storable(todo_id: int) -> int:
    if not is_storable(todo_id):
        raise TodoNotFoundError(todo_id)
    return todo_id


Listed = Row[int, str, bool, list[str] | None, int, int]
"""A todo of a list: its id, task, completed, the words for what it carries, and the page's counts. They are many: so
this is what SQLAlchemy returns."""


class Page(NamedTuple):
    """A part of the list, and how many todos there are."""

    todos: Sequence[Listed]
    """One more than a page has, if another page follows."""
    active: int
    completed: int
    """Of the newest todos: with a million rows, counting all of them would take longer than everything else."""

    @property
    def is_counted(self) -> bool:
        """Whether these are all todos."""
        return self.active + self.completed <= COUNTED


def page(session: Reader, number: int, size: int, *, completed: bool | None = None) -> Page:
    """Return page `number` (from 1) of the todos, newest first: all, or those that are completed or are not."""
    rows = session.execute(_PAGES[completed], {"before": (number - 1) * size, "limit": size + 1}).all()
    return Page(rows if rows[0].id else [], rows[0].active, rows[0].done)


def last_page(session: Reader, size: int, *, completed: bool | None = None) -> int:
    """Return the number of the last page, which is the first one if there are no todos."""
    count = session.execute(select(func.count(Todo.id)).where(_shown(completed))).scalar_one()
    return max(1, math.ceil(count / size))


def _shown(completed: bool | None) -> ColumnElement[bool]:
    return true() if completed is None else Todo.completed.is_(completed)


def _page(completed: bool | None) -> Select[Any]:
    """Return the question for a page with the counts, which are there even where no todo is."""
    newest_first = select(Todo.id, Todo.task, Todo.completed).where(_shown(completed)).order_by(Todo.id.desc())
    todos = newest_first.offset(bindparam("before", type_=Integer)).limit(bindparam("limit", type_=Integer)).cte()
    words = carried(select(todos.c.id)).subquery()
    newest = select(Todo.completed).order_by(Todo.id.desc()).limit(COUNTED + 1).subquery()
    done = newest.c.completed
    counts = select(func.count().filter(~done).label("active"), func.count().filter(done).label("done")).subquery()
    found = counts.outerjoin(todos, true()).outerjoin(words, words.c.todo_id == todos.c.id)
    return select(todos, words.c.words, counts).select_from(found).order_by(todos.c.id.desc())


# Made once: making one takes longer than asking it.
_PAGES = {completed: _page(completed) for completed in (None, False, True)}


# Into the table, not by the model: without the unit of work it takes half as long.
_TODO = cast(Table, Todo.__table__)
_ADD = insert(_TODO).returning(_TODO.c.id, _TODO.c.task, _TODO.c.completed, _TODO.c.order)


def listed(session: AnySession, after: int, limit: int) -> list[Todo]:
    """Return so many todos, oldest first, that are newer than the one with this id."""
    return list(session.scalars(select(Todo).where(Todo.id > after).order_by(Todo.id).limit(limit)))


def find(session: AnySession, todo_id: int) -> Todo:
    """Return one todo.

    Raises:
        TodoNotFoundError: there is none with this id.

    """
    todo = session.get(Todo, _storable(todo_id))
    if todo is None:
        raise TodoNotFoundError(todo_id)
    return todo


def lock(session: AnySession, todo_id: int, *, key_share: bool = True) -> None:
    """Keep a todo from being deleted until the transaction ends, or, not `key_share`, from being given anything more.

    Raises TodoNotFoundError.
    """
    locked = select(Todo.id).where(Todo.id == _storable(todo_id)).with_for_update(key_share=key_share)
    if session.scalar(locked) is None:
        raise TodoNotFoundError(todo_id)


def add(session: AnySession, task: str, order: int | None = None) -> TodoData:
    """Add a todo and return it with its id."""
    return TodoData.model_validate(session.execute(_ADD, {"task": task, "order": order}).one())


def update(session: AnySession, todo_id: int, changes: Mapping[str, Any]) -> UpdatedData:
    """Set the given columns (task, completed, order) of a todo and return it, with whom to tell if this completes it.

    Raises:
        TodoNotFoundError: there is none with this id.

    """
    if not changes:
        return UpdatedData.model_validate(find(session, todo_id))
    if changes.get("completed"):
        return _complete(session, todo_id, changes)
    # One statement, so that a row that another user deletes meanwhile is "not found", not an error in the flush.
    changed = update_table(Todo).where(Todo.id == _storable(todo_id)).values(**changes).returning(Todo)
    todo = session.scalars(changed, execution_options={"populate_existing": True}).one_or_none()
    if todo is None:
        raise TodoNotFoundError(todo_id)
    return UpdatedData.model_validate(todo)


def _complete(session: AnySession, todo_id: int, changes: Mapping[str, Any]) -> UpdatedData:
    # Locked while it is read whether it was completed, so that of two who complete it at once only one does.
    locked = select(Todo.id, Todo.completed, Watcher.url).join(Watcher, Watcher.todo_id == Todo.id, isouter=True)
    before = locked.where(Todo.id == _storable(todo_id)).with_for_update(of=Todo).subquery("before")
    changed = update_table(Todo).where(Todo.id == before.c.id).values(**changes)
    options = {"populate_existing": True, "synchronize_session": False}
    found = session.execute(
        changed.returning(Todo, before.c.completed, before.c.url), execution_options=options
    ).one_or_none()
    if found is None:
        raise TodoNotFoundError(todo_id)
    todo, was_completed, url = found
    data = UpdatedData.model_validate(todo)
    if url and not was_completed:
        data.completion = Completion(url=url, at=todo.updated_at)
    return data


def delete(session: AnySession, todo_id: int) -> MeetingData | None:
    """Delete a todo, and return the meeting that it had, if that is to be undone now.

    Raises:
        TodoNotFoundError: there is none with this id.
        ConflictError: its bounty is being paid, or was.

    """
    lock(session, todo_id, key_share=False)
    try:
        meetings = _delete(session, Todo.id == todo_id)
    except IntegrityError as error:
        if "ck_payment_unsettled_has_todo" in str(error.orig):
            raise ConflictError("The bounty is being paid, or was paid and is not refunded.") from None
        raise
    return meetings[0] if meetings else None


def clear(session: AnySession, *, only_completed: bool = False) -> DeletedData:
    """Delete all todos, or the completed ones, but those whose bounty is being paid, or was: return these ids."""
    meant = _shown(True if only_completed else None)
    # In one order, so that of two who do this one waits. Of a todo that is locked, no payment begins.
    ids = {*session.scalars(select(Todo.id).where(meant).order_by(Todo.id).with_for_update())}
    unsettled = select(Payment.todo_id).where(Payment.status.in_(UNSETTLED), Payment.todo_id.is_not(None))
    kept = ids.intersection(session.scalars(unsettled))
    meetings = _delete(session, Todo.id == any_(literal(sorted(ids - kept), ARRAY(Integer))))
    return DeletedData(kept=sorted(kept), meetings=meetings)


def _delete(session: AnySession, which: ColumnElement[bool]) -> list[MeetingData]:
    """Delete these todos, and return the meetings that they had and that are to be undone.

    They must be locked by a statement before: this one sees the meetings as they are when it begins, and if it had to
    wait for a todo, others could plan a meeting, and invite to it, meanwhile.
    """
    gone = delete_from(Todo).where(which).returning(Todo.id).cte()
    left = select(Meeting).join(gone, and_(Meeting.todo_id == gone.c.id, Meeting.status.not_in(UNDONE)))
    found = session.scalars(left, execution_options={"populate_existing": True})
    return [MeetingData.model_validate(meeting) for meeting in found]
