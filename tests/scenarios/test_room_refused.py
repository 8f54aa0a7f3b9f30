"""What happens to the calendar event when the room is refused?

Two bookings at two others are no transaction: what was done first must be undone by asking once more. That is easy as
long as everybody answers. When the undoing fails, too, somebody has to come back to it.
"""

import pytest

from tests.faultlab.laboratory import Laboratory
from tests.faultlab.wire.messages import Sent
from tests.features.meetings import MetTodo
from tests.support.outside_world import OutsideWorldClient
from todo_stack.twins import PLAIN, RESTATE

UNDOING_FAILS = {
    # It says what it could not undo, and asks its user to cancel the meeting: until then the event is an orphan.
    PLAIN: (503, "cancelling done undone open open", ["calendar"]),
    # Restate asks again.
    RESTATE: (409, "refused undone undone open open", []),
}


@pytest.fixture
def todo(lab: Laboratory, world: OutsideWorldClient) -> MetTodo:
    """A todo whose room is taken by another one's meeting."""
    other, todo = MetTodo(lab.twin, world), MetTodo(lab.twin, world)
    assert other.meet(room=todo.plan["room"]).status_code == 201
    return todo


def test_room_refused(todo: MetTodo) -> None:
    """Where everybody answers, the plain twin does as well: the event is undone, and the user is told why."""
    answer = todo.meet()

    assert answer.status_code == 409
    assert "booked already" in answer.json()["detail"]
    assert todo.meeting()["reason"] == answer.json()["detail"]
    assert todo.steps() == "refused undone undone open open"
    assert todo.effects() == {"calendar": ["booked", "cancelled"], "room": ["barred"], "invite": []}
    assert todo.meet(room=f"{todo.plan['room']} b").status_code == 201


def test_undoing_fails(lab: Laboratory, todo: MetTodo) -> None:
    """The connection is lost on which the event is to be undone: the plain twin leaves it to its user."""
    lost = lab.to_outside.cut(Sent("DELETE /calendar/events", mentioning=todo.id))
    answer = todo.meet()
    lost.wait()
    assert todo.twin.settle() == []

    assert (answer.status_code, todo.steps(), todo.booked()) == UNDOING_FAILS[lab.which]
    if todo.booked():
        todo.cancel()
    assert todo.booked() == []
