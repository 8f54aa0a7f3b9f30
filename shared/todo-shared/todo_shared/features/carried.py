"""What the todos of a list carry, in a few words each."""

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import ARRAY, CompoundSelect, Integer, any_, bindparam, case, literal, select, union_all

from todo_shared.models import Bounty, Meeting, Payment, Reminder, Watcher
from todo_shared.models.features import UNSETTLED
from todo_shared.operations import Reader


def _statement() -> CompoundSelect[int, str]:
    unsettled = (Payment.todo_id == Bounty.todo_id) & Payment.status.in_(UNSETTLED)
    words = (
        select(Meeting.todo_id, literal("meeting ") + Meeting.status),
        select(
            Bounty.todo_id, literal("bounty ") + case((Payment.id.is_(None), "set"), else_=Payment.status)
        ).outerjoin(Payment, unsettled),
        select(Watcher.todo_id, literal("watched")),
        select(Reminder.todo_id, case((Reminder.sent_at.is_(None), "reminder set"), else_="reminder sent")),
    )
    ids = bindparam("ids", type_=ARRAY(Integer))
    return union_all(*(part.where(part.selected_columns[0] == any_(ids)) for part in words))


# Made once, and the numbers as one array: making it takes longer than asking it.
_CARRIED = _statement()


def carried(session: Reader, todo_ids: Sequence[int]) -> dict[int, list[str]]:
    """Return what each of these todos carries, such as "meeting planned"; by one question for all."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    if todo_ids:
        for todo_id, word in session.execute(_CARRIED, {"ids": todo_ids}):
            found[todo_id].append(word)
    return found
