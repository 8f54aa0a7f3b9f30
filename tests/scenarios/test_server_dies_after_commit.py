"""What happens when the server dies after COMMIT and before it answered?

The process that knew that it had worked is gone. Somebody else would have to remember, and the plain twin has nobody
else.
"""

from concurrent.futures import ThreadPoolExecutor

from tests.faultlab.laboratory import Laboratory
from tests.faultlab.wire.messages import Answer
from tests.support.history import Outcome, Verdict
from tests.support.user import add, new_name, verdict_on
from todo_stack.twins import PLAIN, RESTATE

EXPECTED = {
    # The process that dies is the one that would have answered. A user who then submits the form again has two.
    PLAIN: ({Outcome.UNKNOWN}, Verdict.GHOST, Verdict.DUPLICATED),
    # The service died, and the web waits for Restate: it has the result, or promises it if the start takes too long.
    # Restate calls the service again, and the ledger knows what was done.
    RESTATE: ({Outcome.OK, Outcome.PENDING}, Verdict.EXACTLY_ONCE, Verdict.EXACTLY_ONCE),
}


def test_server_dies_after_commit(lab: Laboratory, meanwhile: ThreadPoolExecutor) -> None:
    """The plain twin's user gets no answer, and has two todos after a second try; the Restate twin has one."""
    task = new_name("milk")
    answer = lab.database.hold(Answer("COMMIT", mentioning=task))
    adding = meanwhile.submit(add, lab.twin, task)
    answer.wait()
    # It is in the database, and nobody but the database knows.
    assert lab.twin.tasks(task) == [task]
    lab.twin.writer.kill()
    lab.twin.writer.start()
    added = adding.result()
    verdict = verdict_on(lab.twin, added)

    again = add(lab.twin, task, added.key)

    outcomes, after_the_death, after_the_second_try = EXPECTED[lab.which]
    assert added.outcome in outcomes
    assert (verdict, verdict_on(lab.twin, again)) == (after_the_death, after_the_second_try)
