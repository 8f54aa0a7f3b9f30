"""What happens when the Restate server is down?

Durable execution is one more thing that can be away. This is the failure that the plain twin does not have.
"""

from tests.faultlab.laboratory import Laboratory
from tests.support.history import Outcome, Verdict
from tests.support.user import add, new_name, verdict_on
from todo_stack.twins import PLAIN, RESTATE

EXPECTED = {
    # It has no Restate server to miss.
    PLAIN: ("201", Verdict.EXACTLY_ONCE),
    # Its web cannot hand the todo over, promises nothing, and says so.
    RESTATE: ("503", Verdict.REFUSED),
}


def test_restate_server_down(lab: Laboratory) -> None:
    """The plain twin works on; the Restate twin refuses writes, shows its list, and loses nothing by a later try."""
    task, there = new_name("milk"), new_name("bread")
    lab.twin.add(there)
    restate = lab.stack.servers.get("restate")
    if restate:
        restate.kill()
    added = add(lab.twin, task)
    titles = [todo["title"] for todo in lab.twin.call("GET").json()]
    if restate:
        restate.start()

    # Reads go to the database in both.
    assert there in titles
    assert (added.detail, verdict_on(lab.twin, added)) == EXPECTED[lab.which]


def test_resubmitted_when_it_is_back(durable: Laboratory) -> None:
    """A form that was refused meanwhile can be submitted again as often as one likes, and adds one todo."""
    task = new_name("milk")
    restate = durable.stack.servers["restate"]
    restate.kill()
    refused = add(durable.twin, task)
    restate.start()

    tries = [add(durable.twin, task, refused.key) for _ in range(3)]
    assert refused.outcome is Outcome.FAIL
    # Just started, it may need longer than the web waits, and then the todo is promised.
    assert all(again.outcome in (Outcome.OK, Outcome.PENDING) for again in tries)
    assert verdict_on(durable.twin, tries[-1]) is Verdict.EXACTLY_ONCE
