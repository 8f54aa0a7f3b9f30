"""A meeting: one thing is booked after the other, and what was begun is undone if that cannot go on."""

import logging
import uuid
from collections.abc import Sequence
from contextlib import suppress

import requests

from todo_shared import operations
from todo_shared.features import meeting as shared
from todo_shared.features.errors import ConflictError, GivenUpError, NotSetError
from todo_shared.features.outside import OutsideRefusedError, OutsideWorld, was_not_done
from todo_shared.features.schemas import STEPS, DeletedData, MeetingData, MeetingRequest
from todo_shared.models import db
from todo_shared.models.database import DATABASE_ERRORS
from todo_shared.schemas import TodoItemRequest

log = logging.getLogger(__name__)
world = OutsideWorld("plain")


def plan_meeting(req: MeetingRequest) -> MeetingData:
    """Plan a meeting: record that it is being planned, and do the steps, each recorded when it is done."""
    meeting = shared.open_meeting(db.session, req, str(uuid.uuid4()))
    db.session.commit()
    begun: list[str] = []
    try:
        for step in STEPS:
            begun.append(step)
            shared.do(world, meeting, step)
            meeting = shared.record_done(db.session, meeting.id, step)
            db.session.commit()
    except (ConflictError, *DATABASE_ERRORS) as error:
        db.session.rollback()
        _undo(meeting, begun, str(error) if isinstance(error, ConflictError) else "The database failed.")
        raise
    except requests.RequestException as error:
        why = f"{begun[-1]}: the other server does not answer as it should."
        _undo(meeting, begun[:-1] if was_not_done(error) else begun, why)
        raise GivenUpError(f"{why} What was done is undone.") from error
    return meeting


def cancel_meeting(req: TodoItemRequest) -> None:
    """Cancel the meeting of a todo, also one whose planning has ended in the middle."""
    meeting = shared.begin_to_cancel(db.session, req.todo_id)
    db.session.commit()
    _undo(meeting, shared.begun_steps(meeting))


def delete_todo(todo_id: int) -> None:
    """Delete a todo, but its meeting first. Raises GivenUpError: that cannot be undone, and nothing is deleted."""
    while left := operations.delete(db.session, todo_id):
        _cancel_first([left])
    db.session.commit()


def clear_todos(*, only_completed: bool = False) -> DeletedData:
    """Delete all todos that can be deleted, or the completed ones, their meetings first; raises as delete_todo()."""
    while (deleted := operations.clear(db.session, only_completed=only_completed)).meetings:
        _cancel_first(deleted.meetings)
    db.session.commit()
    return deleted


def _cancel_first(meetings: list[MeetingData]) -> None:
    """Take the deletion back, because others may not answer, and cancel these meetings."""
    db.session.rollback()
    for left in meetings:
        with suppress(ConflictError, NotSetError):  # Somebody else was quicker.
            cancel_meeting(TodoItemRequest(todo_id=left.todo_id))


def _undo(meeting: MeetingData, begun: Sequence[str], reason: str | None = None) -> None:
    """Undo these steps, the last first, all that can be, and record that. Raises GivenUpError: some cannot be."""
    undone, failed = [], []
    for step in reversed(begun):
        try:
            shared.undo(world, meeting, step)
            undone.append(step)
        except (OutsideRefusedError, requests.RequestException) as error:
            log.warning("%s of meeting %s is not undone: %s", step, meeting.id, error)
            failed.append(step)
    if reason:
        shared.begin_to_undo(db.session, meeting.id, reason)
    for step in undone:
        shared.record_undone(db.session, meeting.id, step)
    if failed:
        reason = f"{reason or ''} Not undone: {', '.join(failed)}. Please cancel it once more.".strip()
        shared.keep_reason(db.session, meeting.id, reason)
        db.session.commit()
        raise GivenUpError(reason)
    shared.end(db.session, meeting.id)
    db.session.commit()
