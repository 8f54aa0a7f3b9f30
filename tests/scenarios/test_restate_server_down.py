"""What happens when the Restate server is down?

Durable execution is one more thing that can fail. The plain twin does not have this failure: tests/suite/test_twins.py
kills the Restate server beside it, and it goes on.
"""

from tests.faultlab.laboratory import Laboratory
from tests.scenarios.conftest import only_restate
from tests.support.history import Outcome, Verdict
from tests.support.user import add, new_name, verdict_on


@only_restate
def test_restate_server_down(lab: Laboratory) -> None:
    """The Restate twin refuses a write and still shows its list; the same request adds one todo once it is up again."""
    twin, restate = lab.twin, lab.stack.servers["restate"]
    task, there = new_name("milk"), twin.add(new_name("bread"))
    restate.kill()
    refused = add(twin, task)
    titles = [todo["title"] for todo in twin.call("GET").json()]
    restate.start()

    assert there["title"] in titles
    assert (refused.detail, verdict_on(twin, refused)) == ("503", Verdict.REFUSED)

    tries = [add(twin, task, refused.key) for _ in range(3)]
    # Just started, it may need longer than the web waits, and then the todo is promised.
    assert {again.outcome for again in tries} <= {Outcome.OK, Outcome.PENDING}
    assert verdict_on(twin, tries[-1]) is Verdict.EXACTLY_ONCE
