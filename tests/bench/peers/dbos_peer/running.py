"""How the DBOS peer is started, and what is to be known of it."""

from tests.bench.peers.contestant import About, Contestant, Parts, rows_as_dicts
from tests.bench.peers.lines import of_peer
from tests.bench.peers.place import Place
from tests.bench.peers.requirements import needs_packages

ABOUT = About(
    title="DBOS",
    code=of_peer("dbos"),
    durable="DBOS's tables in the todos' own database; the step's record is committed with the todo",
    killed="gunicorn's worker process, in which DBOS runs; gunicorn starts it again, and it recovers its workflows",
    not_comparable=(
        "It adds no server but works in the web process: its load is the web's, and with it the web is killed and the "
        "clients get no answer. What a dead process has left is finished by one of the same executor id and code; that "
        "another takes it over wants its Conductor, a server more."
    ),
)

NEEDS = (needs_packages("dbos"),)

_UNFINISHED = "SELECT workflow_uuid, status FROM dbos.workflow_status WHERE status IN ('PENDING', 'ENQUEUED')"


def start(place: Place) -> Contestant:
    """Return the running peer."""
    database = place.database("todos_dbos")
    web, url = place.web("dbos", database, {})
    return Contestant(
        "dbos",
        ABOUT,
        Parts(web),
        stack=place.stack,
        url=url,
        database_url=database,
        unfinished=lambda: rows_as_dicts(database, _UNFINISHED),
    )
