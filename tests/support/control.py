"""The control: the plain twin with a ledger, keyed by the request's Idempotency-Key, and no Restate."""

from dataclasses import replace

from tests.support.truth import OPERATIONS
from todo_stack.twins import PLAIN, TWINS, Twin

_TITLE = "ledger (control)"

LEDGER_ONLY = replace(
    PLAIN,
    key="ledger",
    title=_TITLE,
    application="tests.costs.peers.ledger_only_peer",
    database="todos_ledger",
    writer=_TITLE,
    servers=("db", _TITLE),
)
COMPARED = (*TWINS, LEDGER_ONLY)
"""All that the fault lab breaks."""

WHERE_IT_ENDS = (
    f"{_TITLE} is the plain twin with a ledger keyed by the request's Idempotency-Key, and no Restate: as good as "
    "Restate for one write whose client asks again. For a timer, a second step and a call to others it "
    "ends here: nobody asks again for these."
)


def operations_of(twin: Twin) -> tuple[str, ...]:
    """Return the kinds of operations that are tried: of the control those that it has made its own."""
    return ("add", "delete", "pay") if twin == LEDGER_ONLY else OPERATIONS
