"""What happens when a provider says "not now, try again in a second"?

A real provider says a minute; here it is a second, twice, because what is waited for is the same.

429 with Retry-After is an honest answer: nothing was done. The question is who tries again, and whether anybody waits
for it.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from tests.faultlab.laboratory import Laboratory
from tests.support.history import Verdict
from tests.support.outside_world import OutsideWorldClient
from tests.support.user import prepared, verdict_on
from todo_stack.twins import PLAIN, RESTATE

RECEIVERS = {"pay": "payments", "tell": "hooks"}

EXPECTED = {
    # Who pays is told that nothing was charged, and can do it again: it does as well here. But a todo is completed only
    # once, and nobody tells its watcher later.
    PLAIN: {"pay": Verdict.REFUSED, "tell": Verdict.HALF_DONE},
    # Restate asks again when it was told to, under the same key.
    RESTATE: {"pay": Verdict.EXACTLY_ONCE, "tell": Verdict.EXACTLY_ONCE},
}
ASKED = {
    PLAIN: {"pay": [429], "tell": [429]},
    RESTATE: {"pay": [429, 429, 201], "tell": [429, 429, 204]},
}


def test_provider_busy(lab: Laboratory, world: OutsideWorldClient, meanwhile: ThreadPoolExecutor) -> None:
    """Busy two times, the provider is paid by the Restate twin, and the watcher told, two seconds later."""
    operations = {kind: prepared(lab.twin, kind) for kind in RECEIVERS}
    ids = {kind: operation.todo_id or 0 for kind, operation in operations.items()}
    with ExitStack() as told:
        for kind, receiver in RECEIVERS.items():
            told.enter_context(world.told_for(ids[kind], receiver, "busy", retry_after=1, count=2))
        list(meanwhile.map(lab.twin.operate, operations.values()))
        verdicts = {kind: verdict_on(lab.twin, operation) for kind, operation in operations.items()}
    asked = {kind: world.requests_for(ids[kind], receiver) for kind, receiver in RECEIVERS.items()}

    assert verdicts == EXPECTED[lab.which]
    assert {kind: [request["status"] for request in requests] for kind, requests in asked.items()} == ASKED[lab.which]
    assert all(len({request["key"] for request in requests}) == 1 for requests in asked.values())

    # In the plain twin this is another payment; in the other one the result of the first.
    lab.twin.operate(operations["pay"])
    assert verdict_on(lab.twin, operations["pay"]) is Verdict.EXACTLY_ONCE
