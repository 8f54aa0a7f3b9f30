"""What happens when the process dies after the money was taken, and before that is recorded?

No transaction spans the provider and the database. So somebody has to know afterwards that there was something to do,
and do it.
"""

from concurrent.futures import ThreadPoolExecutor

from tests.faultlab.laboratory import Laboratory
from tests.faultlab.wire.messages import Answer
from tests.support.history import Outcome, Verdict
from tests.support.user import prepared, verdict_on
from todo_stack.twins import PLAIN, RESTATE

EXPECTED = {
    # It recorded before that it is being paid, so that nobody pays twice. That is all that anybody knows from now on.
    PLAIN: ({Outcome.UNKNOWN}, {Outcome.FAIL}, Verdict.STUCK),
    # Restate calls the service again, which asks the provider again, under the same key, and records the answer.
    RESTATE: ({Outcome.OK, Outcome.PENDING}, {Outcome.OK, Outcome.PENDING}, Verdict.EXACTLY_ONCE),
}


def test_dies_between_charge_and_record(lab: Laboratory, meanwhile: ThreadPoolExecutor) -> None:
    """Both charge once. The plain payment stays "charging", whatever its user does; the other one is paid."""
    paying = prepared(lab.twin, "pay")
    answer = lab.to_outside.hold(Answer("POST /payments", mentioning=paying.todo_id))
    first = meanwhile.submit(lab.twin.operate, paying)
    answer.wait()
    lab.twin.writer.kill()
    lab.twin.writer.start()
    told = first.result().outcome
    again = lab.twin.operate(paying).outcome
    verdict = verdict_on(lab.twin, paying)

    expected_told, expected_again, expected_verdict = EXPECTED[lab.which]
    assert told in expected_told
    assert again in expected_again
    assert verdict is expected_verdict
