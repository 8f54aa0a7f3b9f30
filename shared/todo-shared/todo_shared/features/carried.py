"""What the todos of a list carry, in a few words each."""

from sqlalchemy import ARRAY, ColumnElement, Select, String, any_, case, func, literal, select, union_all

from todo_shared.models import Bounty, Meeting, Payment, Reminder, Watcher
from todo_shared.models.features import UNSETTLED


def carried(todo_ids: Select[int]) -> Select[int, list[str]]:
    """Return the question what each of these todos carries, such as "meeting planned"; only those that carry any."""
    # Not IN, whose list SQLAlchemy writes anew each time.
    unsettled = (Payment.todo_id == Bounty.todo_id) & (Payment.status == any_(literal([*UNSETTLED], ARRAY(String))))
    words = (
        select(Meeting.todo_id, literal("meeting ") + Meeting.status),
        select(
            Bounty.todo_id, literal("bounty ") + case((Payment.id.is_(None), "set"), else_=Payment.status)
        ).outerjoin(Payment, unsettled),
        select(Watcher.todo_id, literal("watched")),
        select(Reminder.todo_id, case((Reminder.sent_at.is_(None), "reminder set"), else_="reminder sent")),
    )
    # As one array: so each table is asked by its key, whatever the planner thinks of how many they are.
    ids: ColumnElement[list[int]] = func.array(todo_ids.scalar_subquery())
    found = union_all(*(part.where(part.selected_columns[0] == any_(ids)) for part in words)).subquery()
    todo_id, word = found.c
    return select(todo_id.label("todo_id"), func.array_agg(word, type_=ARRAY(String)).label("words")).group_by(todo_id)
