"""What does an operator leave behind who kills a workflow in place of cancelling it?

A cancel is an exception in the workflow, which undoes what it has begun. A kill is the end of it: nothing of it runs
any more. Both are a button in Restate's dashboard, side by side.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.faultlab.laboratory import Laboratory
from tests.faultlab.wire.messages import Sent
from tests.features.meetings import MetTodo
from tests.scenarios.conftest import only_restate
from tests.support.outside_world import OutsideWorldClient
from tests.support.waiting import until

EXPECTED: dict[str, Any] = {
    "cancel": (409, "refused", []),
    # Whoever planned is told that it failed. The event and, when it arrives, the room are orphans.
    "kill": (503, "planning", ["calendar", "room"]),
}


@only_restate
@pytest.mark.parametrize("order", EXPECTED)
def test_killed_saga(lab: Laboratory, world: OutsideWorldClient, meanwhile: ThreadPoolExecutor, order: str) -> None:
    """What is killed is not undone. Its user can still cancel the meeting, as in the plain twin after a crash."""
    todo = MetTodo(lab.twin, world)
    booking = lab.to_outside.hold(Sent("PUT /rooms", mentioning=todo.id))
    planning = meanwhile.submit(todo.meet)
    held = booking.wait()
    todo.order(todo.calls()["run"], order)
    status = planning.result().status_code
    held.release()
    assert todo.twin.settle() == []
    # Nobody waits for a call of a workflow that was killed.
    until(lambda: todo.booked() == EXPECTED[order][-1], f"bookings: {EXPECTED[order][-1]}")

    assert (status, todo.meeting()["status"], todo.booked()) == EXPECTED[order]
    if todo.booked():
        todo.cancel()
    assert todo.booked() == []
