"""A meeting: a workflow that books one thing after the other, and undoes what it has begun if that cannot go on."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

import requests
import restate
from sqlalchemy.orm import Session

from flask_restate import (
    StoppedError,
    durable_service,
    durable_workflow,
    retry_after,
    to_its_end,
    translated,
    unless_stopped,
)
from flask_todo_restate.services.database import ledger
from todo_shared.features import meeting as shared
from todo_shared.features.outside import OutsideWorld
from todo_shared.features.schemas import STEPS, MeetingData, MeetingRequest
from todo_shared.schemas import TodoItemRequest

LONG = timedelta(seconds=2)
"""A pause that a receiver asks for and that nobody who cancels should have to wait for."""

world = OutsideWorld("restate")
meeting_service = durable_service("MeetingService")
meeting_workflow = durable_workflow("MeetingWorkflow")


@meeting_service.handler()
async def plan_meeting(ctx: restate.Context, req: MeetingRequest) -> MeetingData:
    """Plan a meeting, and return it when all is done; 409 with the reason if it cannot be, and all is undone."""
    meeting_id = str(ctx.uuid())

    def db_open(session: Session) -> MeetingData:
        return shared.open_meeting(session, req, meeting_id)

    meeting = await to_its_end(ctx.run_typed("db_open", ledger.once(ctx, db_open)))
    planning = ctx.workflow_call(run, key=meeting.id, arg=meeting)
    try:
        return await to_its_end(planning)
    except restate.TerminalError as error:
        if "already invoked" not in error.message:
            raise
        # By a call that Restate has forgotten, and whose row was still in the ledger.
        return await ctx.attach_invocation(await planning.invocation_id(), type_hint=MeetingData)


@meeting_service.handler()
async def cancel_meeting(ctx: restate.Context, req: TodoItemRequest) -> None:
    """Cancel the meeting of a todo, planned or not yet."""

    def db_cancel(session: Session) -> MeetingData:
        return shared.begin_to_cancel(session, req.todo_id)

    meeting = await to_its_end(ctx.run_typed("db_cancel", ledger.once(ctx, db_cancel)))
    await to_its_end(ctx.workflow_call(cancel, key=meeting.id, arg=meeting))


@meeting_workflow.main(workflow_retention=timedelta(days=7))
async def run(ctx: restate.WorkflowContext, meeting: MeetingData) -> MeetingData:
    """Do the steps, as long as nobody stops this."""
    cancelled = ctx.promise("cancelled", type_hint=bool).value()
    begun: list[str] = []
    try:
        for step in STEPS:
            begun.append(step)
            meeting = await _do(ctx, meeting, step, cancelled)
    except (restate.TerminalError, StoppedError) as error:
        why = _words(error)

        def db_undo(session: Session) -> None:
            shared.begin_to_undo(session, meeting.id, why)

        await to_its_end(ctx.run_typed("db_undo", ledger.once(ctx, db_undo)))
        await _undo(ctx, meeting, begun)
        raise restate.TerminalError(why, status_code=409) from error
    return meeting


@meeting_workflow.handler()
async def cancel(ctx: restate.WorkflowSharedContext, meeting: MeetingData) -> None:
    """Stop the planning at once, if it goes on, and undo what it may have begun: it may wait for long, or be killed."""
    if meeting.steps["invite"] != "done":
        with suppress(restate.TerminalError):  # It was told before.
            await ctx.promise("cancelled", type_hint=bool).resolve(True)
    await _undo(ctx, meeting, shared.begun_steps(meeting))


@meeting_workflow.handler()
async def withdraw(ctx: restate.WorkflowSharedContext, meeting: MeetingData) -> None:
    """Tell the invited that there is no meeting, whenever that can be: nobody else waits for it."""
    await _undo_step(ctx, meeting, "invite")


async def _do(
    ctx: restate.Context, meeting: MeetingData, step: str, cancelled: restate.RestateDurableFuture[bool]
) -> MeetingData:
    def ask() -> float:
        try:
            shared.do(world, meeting, step)
        except requests.HTTPError as error:
            pause = retry_after(error)
            if pause and pause >= LONG:
                return pause.total_seconds()
            raise
        return 0

    def db_done(session: Session) -> MeetingData:
        return shared.record_done(session, meeting.id, step)

    if step != "mark":
        # Slept here, and not between Restate's own attempts, a pause can be cut short.
        while pause := await unless_stopped(ctx.run_typed(step, translated(ask)), cancelled):
            await unless_stopped(ctx.sleep(timedelta(seconds=pause)), cancelled)
    return await unless_stopped(ctx.run_typed(f"db_{step}", ledger.once(ctx, db_done)), cancelled)


async def _undo(
    ctx: restate.WorkflowContext | restate.WorkflowSharedContext, meeting: MeetingData, begun: Sequence[str]
) -> None:
    """Undo these steps, the last first, by the meeting's id: wherever they are, done or still on their way."""
    for step in reversed(begun):
        if step != "invite":
            await _undo_step(ctx, meeting, step)
    if "invite" in begun:
        ctx.workflow_send(withdraw, key=meeting.id, arg=meeting)


async def _undo_step(ctx: restate.Context, meeting: MeetingData, step: str) -> None:
    def undo() -> None:
        shared.undo(world, meeting, step)

    def db_undone(session: Session) -> None:
        shared.record_undone(session, meeting.id, step)
        if step == STEPS[0]:
            shared.end(session, meeting.id)

    if step != "mark":
        await to_its_end(ctx.run_typed(f"undo_{step}", translated(undo)))
    await to_its_end(ctx.run_typed(f"db_undone_{step}", ledger.once(ctx, db_undone)))


def _words(error: restate.TerminalError | StoppedError) -> str:
    if isinstance(error, restate.TerminalError):
        return error.message
    return "An operator stopped the planning." if error.by_operator else shared.CANCELLED
