"""How the outbox is started, and what is to be known of it."""

from tests.bench.peers.contestant import About, Contestant, Parts, rows_as_dicts
from tests.bench.peers.lines import of_peer
from tests.bench.peers.place import WAITING_THREADS, Place

ABOUT = About(
    title="outbox by hand",
    code=of_peer("outbox"),
    durable="a row of the outbox, committed before anything is promised; its result is committed with the todo",
    killed="the worker process",
    not_comparable=(
        "It does this one thing. Steps that follow one another, timers, versions of a workflow, and a page that shows "
        "what hangs are what the others are for."
    ),
)

NEEDS = ()

_UNFINISHED = "SELECT key, attempts FROM outbox WHERE result IS NULL"


def start(place: Place) -> Contestant:
    """Return the running peer."""
    database = place.database("todos_outbox")
    worker = place.worker("outbox worker", ["tests.bench.peers.outbox_peer.worker"], database, {})
    web, url = place.web("outbox", database, {"WEB_THREADS": str(WAITING_THREADS)})
    return Contestant(
        "outbox",
        ABOUT,
        Parts(web, [worker], writer=worker),
        stack=place.stack,
        url=url,
        database_url=database,
        unfinished=lambda: rows_as_dicts(database, _UNFINISHED),
    )
