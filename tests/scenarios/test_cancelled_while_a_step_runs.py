"""What happens when the user cancels a meeting while its room is being booked?

What was done can be undone, and what was not begun need not be. But this step is between the two: nobody knows whether
the request comes before or after the one that undoes it. Ids help that are made before, and a receiver that keeps those
that were cancelled, whether it has seen them or not.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faultlab.laboratory import Laboratory
from tests.faultlab.wire.messages import Answer, Sent
from tests.features.meetings import MetTodo
from tests.support.outside_world import OutsideWorldClient

MOMENTS = [
    pytest.param(Sent, ["barred"], id="the request is on its way"),
    pytest.param(Answer, ["booked", "cancelled"], id="the answer is on its way"),
]


@pytest.mark.parametrize(("message", "room"), MOMENTS)
def test_cancelled_while_a_step_runs(
    lab: Laboratory,
    world: OutsideWorldClient,
    meanwhile: ThreadPoolExecutor,
    message: type[Sent | Answer],
    room: list[str],
) -> None:
    """Both twins have ids and undo at once; whoever planned is told that it was cancelled, and nothing is left."""
    todo = MetTodo(lab.twin, world)
    booking = lab.to_outside.hold(message("PUT /rooms", mentioning=todo.id))
    planning = meanwhile.submit(todo.meet)
    held = booking.wait()
    todo.cancel()
    undone = todo.effects()
    held.release()

    assert undone == {"calendar": ["booked", "cancelled"], "room": room, "invite": []}
    assert planning.result().status_code == 409
    assert todo.twin.settle() == []
    assert todo.steps() == "cancelled undone undone open open"
    assert todo.effects() == undone
