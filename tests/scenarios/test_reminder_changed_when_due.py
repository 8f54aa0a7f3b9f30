"""What happens when a reminder is changed, or its todo is deleted, at the moment that it is due?

One of the two comes first. Whoever is told that a reminder is changed must not get the old one afterwards; and what is
in the mail cannot be called back.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from tests.faultlab.laboratory import Laboratory
from tests.faultlab.wire.messages import Sent
from tests.support.outside_world import OutsideWorldClient
from tests.support.user import prepared
from tests.support.waiting import until

CHANGES = [("PUT", "/reminder", {"at": "2031-05-06T07:08:09Z"}), ("DELETE", "", None)]
JUST_BEFORE = timedelta(seconds=0.5)
LOOK = Sent("SELECT", mentioning="reminder.sent_at IS NULL")
"""How the plain twin's job looks for what is due."""


class Reminded:
    """A todo, as it is remembered by its reminder."""

    def __init__(self, lab: Laboratory, world: OutsideWorldClient, seconds: int) -> None:
        """Set its reminder."""
        self.todo_id = prepared(lab.twin, "remind").todo_id or 0
        self._lab, self._world = lab, world
        answer = lab.twin.call("PUT", f"/{self.todo_id}/reminder", {"in_seconds": seconds})
        self.at = datetime.fromisoformat(answer.json()["at"])

    def change(self, method: str, path: str, body: object) -> bool:
        """Change the reminder, or delete the todo, and return whether that worked."""
        return self._lab.twin.call(method, f"/{self.todo_id}{path}", body).ok

    def mails(self) -> int:
        """Return how often the mailbox was asked."""
        return len(self._world.requests_for(self.todo_id, "mail"))


Reminders = Callable[[int], list[Reminded]]


@pytest.fixture
def reminders(lab: Laboratory, world: OutsideWorldClient) -> Reminders:
    """What sets a reminder for each of the changes, due in so many seconds."""
    return lambda seconds: [Reminded(lab, world, seconds) for _ in CHANGES]


def test_mail_is_first(lab: Laboratory, reminders: Reminders, meanwhile: ThreadPoolExecutor) -> None:
    """In both twins the change waits for the mail that is on its way: its user is told of the change after that."""
    reminded = reminders(1)
    mails = [lab.to_outside.hold(Sent("POST /mail", mentioning=each.todo_id)) for each in reminded]
    # In this order: the plain twin's job mails one after the other.
    for each, mail, change in zip(reminded, mails, CHANGES, strict=True):
        held = mail.wait()
        changing = meanwhile.submit(each.change, *change)
        until(partial(made_or_waits, lab, changing), "the change waits, or is made")
        told_before = changing.done()
        held.release()

        assert changing.result()
        assert not told_before
        assert each.mails() == 1
    assert lab.twin.settle() == []
    assert [each.mails() for each in reminded] == [1, 1]


def made_or_waits(lab: Laboratory, change: "Future[bool]") -> bool:
    """Return whether a change is made, or waits for a row of the database, or in Restate for an object at work."""
    waiting = change.done() or lab.twin.rows("SELECT pid FROM pg_locks WHERE NOT granted")
    return bool(waiting) or any(call["status"] == "pending" for call in lab.twin.unfinished())


def test_change_is_first(lab: Laboratory, reminders: Reminders, meanwhile: ThreadPoolExecutor) -> None:
    """In both twins whoever is about to mail waits for the change, and finds that there is nothing to mail any more."""
    reminded = reminders(1)
    until(lambda: datetime.now(UTC) > reminded[0].at - JUST_BEFORE, "they are nearly due")
    commits = [lab.database.hold(Sent("COMMIT", mentioning=each.todo_id)) for each in reminded]
    changes = [meanwhile.submit(each.change, *change) for each, change in zip(reminded, CHANGES, strict=True)]
    changing = [commit.wait() for commit in commits]
    until(lambda: datetime.now(UTC) > reminded[-1].at, "they are due")
    if lab.which.durable:
        until(lambda: sum(call["target"].endswith("/due") for call in lab.twin.unfinished()) == 2, "Restate calls")
    else:
        lab.database.watch(LOOK).wait()
    for held in changing:
        held.release()

    assert all(change.result() for change in changes)
    # What is set now is mailed, so the others have had their time.
    later = reminders(0)
    until(lambda: all(each.mails() for each in later), "those that came later are mailed")
    assert lab.twin.settle() == []
    assert [each.mails() for each in reminded] == [0, 0]
