"""What happens when the provider has taken the money, and its answer is lost?

Whoever asked cannot know it. To ask again is safe under the same key, if the provider honours keys; and somebody has to
ask. The other half of exactly once is always the receiver's.
"""

from tests.faultlab.laboratory import Laboratory
from tests.faultlab.wire.messages import Answer
from tests.support.history import Verdict
from tests.support.outside_world import OutsideWorldClient
from tests.support.user import prepared, verdict_on
from todo_stack.twins import PLAIN, RESTATE

EXPECTED = {
    # It says that it does not know, and the payment says "charging", until somebody looks. Nobody can pay twice.
    PLAIN: ("503", "409", Verdict.STUCK),
    # Restate asks again, under the same key, and gets the answer of the first time.
    RESTATE: ("201", "201", Verdict.EXACTLY_ONCE),
}
IGNORING_KEYS = {
    # It does not ask again.
    PLAIN: (["paid"], Verdict.STUCK),
    # Restate cannot know better: the money is taken twice, and is recorded once.
    RESTATE: (["paid", "paid"], Verdict.DUPLICATED),
}


def test_answer_of_the_provider_lost(lab: Laboratory) -> None:
    """Both twins charge once. The plain one does not know it, also when it is asked again; the Restate twin does."""
    paying = prepared(lab.twin, "pay")
    lost = lab.to_outside.cut(Answer("POST /payments", mentioning=paying.todo_id))
    told = lab.twin.operate(paying).detail
    lost.wait()
    again = lab.twin.operate(paying).detail

    assert (told, again, verdict_on(lab.twin, paying)) == EXPECTED[lab.which]


def test_provider_that_ignores_keys(lab: Laboratory, world: OutsideWorldClient) -> None:
    """What Restate cannot do: a provider that does not look at keys is paid twice, and nobody is told."""
    paying = prepared(lab.twin, "pay")
    assert paying.todo_id
    lost = lab.to_outside.cut(Answer("POST /payments", mentioning=paying.todo_id))
    with world.told_for(paying.todo_id, "payments", "ignore_keys"):
        lab.twin.operate(paying)
    lost.wait()
    charged = [effect["what"] for effect in world.effects_for(paying.todo_id, "payments")]

    assert (charged, verdict_on(lab.twin, paying)) == IGNORING_KEYS[lab.which]
