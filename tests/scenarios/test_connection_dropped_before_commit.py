"""What happens to an operation when the database drops the connection before COMMIT?

Nothing was written, and the application knows that something went wrong. This is the harmless failure: the only
question is who tries again, the user or the machine.
"""

from tests.faultlab.laboratory import Laboratory
from tests.faultlab.wire.messages import Sent
from tests.support.history import Verdict
from tests.support.user import add, new_name, verdict_on
from todo_stack.twins import PLAIN, RESTATE

EXPECTED = {
    # It says 503 and nothing is there: honest, and the user has to do it again.
    PLAIN: ("503", Verdict.REFUSED),
    # Restate runs the step again on another connection, and the user never hears of it.
    RESTATE: ("201", Verdict.EXACTLY_ONCE),
}


def test_connection_dropped_before_commit(lab: Laboratory) -> None:
    """The plain twin refuses the todo and the Restate twin adds it; a user who tries again then has it once in both."""
    task = new_name("milk")
    dropped = lab.database.cut(Sent("COMMIT", mentioning=task))
    added = add(lab.twin, task)
    dropped.wait()

    assert (added.detail, verdict_on(lab.twin, added)) == EXPECTED[lab.which]

    again = add(lab.twin, task, added.key)
    # In neither twin has the failed transaction left anything that could be doubled.
    assert verdict_on(lab.twin, again) is Verdict.EXACTLY_ONCE
