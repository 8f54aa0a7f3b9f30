"""What becomes of a reminder that was due when everything was off?

A timer in a process is gone with it. Here it is a row, at which a job looks once a second, or a delayed call in
Restate's log.
"""

from datetime import UTC, datetime

from tests.faultlab.laboratory import Laboratory
from tests.support.history import Verdict
from tests.support.outside_world import OutsideWorldClient
from tests.support.truth import wait_for_reminders
from tests.support.user import prepared, verdict_on
from tests.support.waiting import until


def test_off_when_the_reminder_was_due(lab: Laboratory, world: OutsideWorldClient) -> None:
    """Both twins mail it once, late, when all is there again: the plain twin does as well."""
    reminding = prepared(lab.twin, "remind")
    assert reminding.todo_id
    at = datetime.fromisoformat(lab.twin.operate(reminding).answer["at"])
    lab.stack.kill()
    until(lambda: datetime.now(UTC) > at, "it is due")
    asked = world.requests_for(reminding.todo_id, "mail")
    lab.stack.start()
    wait_for_reminders(lab.twin, [reminding])

    assert asked == []
    assert verdict_on(lab.twin, reminding) is Verdict.EXACTLY_ONCE
    assert len(world.requests_for(reminding.todo_id, "mail")) == 1
