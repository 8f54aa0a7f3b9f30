"""Why not just a ledger, keyed by the request's Idempotency-Key, and no Restate?

It is enough for one write whose client asks again: what was done is known, and the request goes on where the first one
ended. It is nothing without that client. Whether somebody asks again is what Restate answers; and what nobody asked for
by a request (a reminder that is due, the undoing of a meeting) has no key.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.faultlab.laboratory import Laboratory
from tests.faultlab.wire.messages import Answer
from tests.support.control import LEDGER_ONLY
from tests.support.history import Outcome, Verdict
from tests.support.user import prepared, verdict_on


@pytest.mark.parametrize("lab", [LEDGER_ONLY], ids=str, indirect=True)
def test_process_dies(lab: Laboratory, meanwhile: ThreadPoolExecutor) -> None:
    """Of two payments that are charged and not recorded, one is asked for again, and paid; the other is stuck."""
    asked_again, given_up = prepared(lab.twin, "pay"), prepared(lab.twin, "pay")
    answers = [lab.to_outside.hold(Answer("POST /payments", mentioning=p.todo_id)) for p in (asked_again, given_up)]
    first = [meanwhile.submit(lab.twin.operate, payment) for payment in (asked_again, given_up)]
    for answer in answers:
        answer.wait()
    lab.server("web").kill()
    lab.server("web").start()
    assert [payment.result().outcome for payment in first] == [Outcome.UNKNOWN] * 2
    lab.twin.operate(asked_again)

    assert (asked_again.detail, verdict_on(lab.twin, asked_again)) == ("201", Verdict.EXACTLY_ONCE)
    assert verdict_on(lab.twin, given_up) is Verdict.STUCK
