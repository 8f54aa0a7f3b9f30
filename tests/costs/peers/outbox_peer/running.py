"""How the outbox is started, and what is to be known of it."""

from tests.costs.measure.extra_servers import ExtraServers
from tests.costs.peers.contestant import WAITS_FOR_A_WORKER, Contestant, Peer, code_of, unfinished_rows, web_of
from tests.costs.peers.records import About

ABOUT = About(
    name="outbox",
    title="outbox by hand",
    durable="a row of the outbox, committed before anything is promised; its result is committed with the todo",
    killed="the worker process",
    not_comparable=(
        "It does this one thing. Steps that follow one another, timers, versions of a workflow, and a page that shows "
        "what hangs are what the others are for."
    ),
)

_UNFINISHED = "SELECT key, attempts FROM outbox WHERE result IS NULL"


def start(extra: ExtraServers) -> Contestant:
    """Return the running peer."""
    database = extra.database("todos_outbox")
    worker = extra.worker("outbox worker", ["tests.costs.peers.outbox_peer.worker"], database)
    web = extra.web("outbox web", web_of("outbox"), database, WAITS_FOR_A_WORKER)
    unfinished = unfinished_rows(database, _UNFINISHED)
    return Contestant(ABOUT, extra, web, database, components=[worker], unfinished=unfinished)


PEER = Peer(ABOUT, code_of("outbox"), start)
