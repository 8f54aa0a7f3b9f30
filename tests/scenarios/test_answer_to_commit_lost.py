"""What happens when the COMMIT has worked and only its answer is lost?

To the application this looks exactly like a connection that dropped before COMMIT: the same exception from the same
line. But here the row is there, and a second try makes a second one, unless somebody remembers that it was done.
"""

from tests.faultlab.laboratory import Laboratory
from tests.faultlab.wire.messages import Answer
from tests.support.history import Verdict
from tests.support.user import add, new_name, verdict_on
from todo_stack.twins import PLAIN, RESTATE

EXPECTED = {
    # Its user reads that the database is not available, does it again, as one would, and has two.
    PLAIN: ("503", Verdict.GHOST, Verdict.DUPLICATED),
    # The repeated step finds its row in the ledger, and the resubmitted request joins the first.
    RESTATE: ("201", Verdict.EXACTLY_ONCE, Verdict.EXACTLY_ONCE),
}


def test_answer_to_commit_lost(lab: Laboratory) -> None:
    """The plain twin reports a failure for a todo that it has, and another try adds a second; the other has one."""
    task = new_name("milk")
    lost = lab.database.cut(Answer("COMMIT", mentioning=task))
    added = add(lab.twin, task)
    lost.wait()
    verdict = verdict_on(lab.twin, added)

    again = add(lab.twin, task, added.key)

    assert (added.detail, verdict, verdict_on(lab.twin, again)) == EXPECTED[lab.which]
