"""The meeting about a todo, on a session, and what is asked of others for it. These functions do not commit."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from sqlalchemy import ColumnElement, case, cast, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert

from todo_shared import operations
from todo_shared.features import moments
from todo_shared.features.errors import ConflictError, NotSetError
from todo_shared.features.outside import OutsideRefusedError, OutsideWorld
from todo_shared.features.schemas import STEPS, MeetingData, MeetingRequest
from todo_shared.models import Meeting, Todo
from todo_shared.models.features import UNDONE
from todo_shared.operations import AnySession

BUSY = {
    "planning": "A meeting is being planned.",
    "planned": "A meeting is planned already.",
    "cancelling": "The meeting before is still being cancelled.",
}
CANCELLED = "The meeting was cancelled."


def find_meeting(session: AnySession, todo_id: int) -> Meeting | None:
    """Return the latest meeting of a todo, if there is one."""
    return session.get(Meeting, todo_id) if operations.is_storable(todo_id) else None


def open_meeting(session: AnySession, plan: MeetingRequest, meeting_id: str) -> MeetingData:
    """Begin to plan a meeting with this id, in the place of one that was cancelled or refused.

    Raises operations.TodoNotFoundError, or ConflictError: there is one, or it would have begun already.
    """
    operations.lock(session, plan.todo_id)
    if plan.start <= moments.now():
        raise ConflictError("The meeting would have begun already.")
    new = insert(Meeting).values(
        **plan.model_dump(),
        id=meeting_id,
        title=select(Todo.task).where(Todo.id == plan.todo_id).scalar_subquery(),
        status="planning",
        steps=dict.fromkeys(STEPS, "open"),
        reason=None,
    )
    taken = {column.name: column for column in new.excluded if column.name != "todo_id"}
    opened = new.on_conflict_do_update(index_elements=["todo_id"], set_=taken, where=Meeting.status.in_(UNDONE))
    meeting = session.scalar(opened.returning(Meeting), execution_options={"populate_existing": True})
    if meeting is None:
        status = session.scalar(select(Meeting.status).where(Meeting.todo_id == plan.todo_id))
        raise ConflictError(BUSY.get(str(status), "There is another meeting."))
    return MeetingData.model_validate(meeting)


def record_done(session: AnySession, meeting_id: str, step: str) -> MeetingData:
    """Record that a step is done. Raises ConflictError: the meeting was cancelled meanwhile, or its todo deleted."""
    status: Any = "planned" if step == "mark" else Meeting.status
    meeting = _change(session, meeting_id, ("planning", "planned"), steps=_with(step, "done"), status=status)
    if meeting is None:
        raise ConflictError(CANCELLED)
    return meeting


def begin_to_cancel(session: AnySession, todo_id: int) -> MeetingData:
    """Record that the meeting of a todo is to be cancelled. Raises NotSetError, or ConflictError: it is undone."""
    meeting = find_meeting(session, todo_id)
    if meeting is None:
        raise NotSetError("There is no meeting about this todo.")
    cancelling = _change(session, meeting.id, BUSY, status="cancelling", reason=None)
    if cancelling is None:
        raise ConflictError(
            CANCELLED if meeting.status == "cancelled" else f"The meeting was refused: {meeting.reason}"
        )
    return cancelling


def begin_to_undo(session: AnySession, meeting_id: str, reason: str) -> None:
    """Record that the meeting cannot be, and why, unless it is being cancelled anyway."""
    _change(session, meeting_id, ("planning", "planned"), status="cancelling", reason=reason)


def keep_reason(session: AnySession, meeting_id: str, reason: str) -> None:
    """Record why a meeting that could not be is still not undone; one that was cancelled has no reason.

    Its user may be cancelling it once more at this moment, and end() would take it for refused.
    """
    kept = case((Meeting.reason.is_(None), None), else_=reason)
    _change(session, meeting_id, ("cancelling",), reason=kept)


def record_undone(session: AnySession, meeting_id: str, step: str) -> None:
    """Record that a step is undone."""
    _change(session, meeting_id, ("cancelling", *UNDONE), steps=_with(step, "undone"))


def end(session: AnySession, meeting_id: str) -> None:
    """Record that nothing is left: the meeting is refused if there was a reason, and otherwise cancelled."""
    status = case((Meeting.reason.is_(None), "cancelled"), else_="refused")
    _change(session, meeting_id, ("cancelling",), status=status)


def begun_steps(meeting: MeetingData) -> list[str]:
    """Return the steps that may have begun: until the todo is marked, nobody is invited."""
    return list(STEPS if meeting.steps["mark"] != "open" else STEPS[:2])


def do(world: OutsideWorld, meeting: MeetingData, step: str) -> None:
    """Ask for what a step needs of others, once for each meeting.

    Raises ConflictError: it is refused for good; requests.RequestException as OutsideWorld.post() does.
    """
    reference = world.reference(meeting.todo_id)
    event = {"title": meeting.title, "minutes": meeting.minutes, "reference": reference}
    try:
        if step in ("calendar", "room"):
            world.put(_address(meeting, step), {**event, "start": moments.shown(meeting.start)})
        elif step == "invite":
            world.post("/mail", _mail(meeting, reference, "Invitation"), key=meeting.id)
    except OutsideRefusedError as error:
        raise ConflictError(f"{step}: {error}") from None


def undo(world: OutsideWorld, meeting: MeetingData, step: str) -> None:
    """Undo a step, or see to it that it is never done: others keep ids that were cancelled before they were booked.

    Raises OutsideRefusedError: that is refused; requests.RequestException as OutsideWorld.post() does.
    """
    reference = world.reference(meeting.todo_id)
    try:
        if step in ("calendar", "room"):
            world.delete(_address(meeting, step), reference)
        elif step == "invite":
            # It may still be on its way, and come after this. With its key, it has come then, and does not come again.
            world.post("/mail", _mail(meeting, reference, "Invitation"), key=meeting.id)
            world.post("/mail", _mail(meeting, reference, "Cancelled"), key=f"{meeting.id}/cancelled")
    except OutsideRefusedError as error:
        # There is no such room, or nobody whom a mail can reach.
        if step != "invite" and error.status not in (404, 410):
            raise


def _address(meeting: MeetingData, step: str) -> str:
    if step == "calendar":
        return f"/calendar/events/{meeting.id}"
    return f"/rooms/{quote(meeting.room, safe='')}/bookings/{meeting.id}"


def _mail(meeting: MeetingData, reference: str, what: str) -> dict[str, Any]:
    text = f"{meeting.title}\n{moments.shown(meeting.start)}, {meeting.minutes} minutes\nRoom: {meeting.room}"
    return {"to": meeting.invite, "subject": f"{what}: {meeting.title}"[:200], "text": text, "reference": reference}


def _with(step: str, state: str) -> ColumnElement[Any]:
    return Meeting.steps.op("||")(cast({step: state}, JSONB))


def _change(session: AnySession, meeting_id: str, states: Iterable[str], **values: object) -> MeetingData | None:
    """Change a meeting that is in one of these states; its row may be gone with its todo, or another one's by now."""
    changed = update(Meeting).where(Meeting.id == meeting_id, Meeting.status.in_([*states])).values(**values)
    meeting = session.scalar(changed.returning(Meeting), execution_options={"populate_existing": True})
    return meeting and MeetingData.model_validate(meeting)
