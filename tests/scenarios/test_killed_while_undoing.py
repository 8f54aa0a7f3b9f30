"""What happens when the process dies while it undoes?

Then nobody knows any more that there is something to undo, unless it is written down what was begun, and somebody
reads it.
"""

from concurrent.futures import ThreadPoolExecutor

from tests.faultlab.laboratory import Laboratory
from tests.faultlab.wire.messages import Sent
from tests.features.meetings import MetTodo
from tests.support.outside_world import OutsideWorldClient
from todo_stack.twins import PLAIN, RESTATE

EXPECTED = {
    # The event is an orphan, and the meeting says that it is being planned, until its user cancels it.
    PLAIN: ("planning done open open open", ["calendar"]),
    # The workflow goes on behind the last step whose result is in the journal.
    RESTATE: ("refused undone undone open open", []),
}


def test_killed_while_undoing(lab: Laboratory, world: OutsideWorldClient, meanwhile: ThreadPoolExecutor) -> None:
    """The room was refused, and the event is to be undone: it stays in the plain twin, and not in the Restate twin."""
    todo = MetTodo(lab.twin, world)
    undoing = lab.to_outside.hold(Sent("DELETE /calendar/events", mentioning=todo.id))
    with todo.told("room", "reject", method="PUT"):
        planning = meanwhile.submit(todo.meet)
        held = undoing.wait()
    lab.twin.writer.kill()
    held.drop()
    lab.twin.writer.start()
    planning.exception()
    assert todo.twin.settle() == []

    assert (todo.steps(), todo.booked()) == EXPECTED[lab.which]
    if todo.booked():
        todo.cancel()
    assert todo.booked() == []
