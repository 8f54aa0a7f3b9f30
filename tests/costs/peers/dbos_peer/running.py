"""How the DBOS peer is started, and what is to be known of it."""

from tests.costs.measure.extra_servers import ExtraServers
from tests.costs.peers.contestant import Contestant, Peer, code_of, unfinished_rows, web_of
from tests.costs.peers.records import About

ABOUT = About(
    name="dbos",
    title="DBOS",
    durable="DBOS's tables in the todos' own database; the step's record is committed with the todo",
    killed="gunicorn's worker process, in which DBOS runs; gunicorn starts it again, and it recovers its workflows",
    not_comparable=(
        "It adds no server but works in the web process: its load is the web's, and with it the web is killed and the "
        "clients get no answer. What a dead process has left is finished by one of the same executor id and code; that "
        "another takes it over wants its Conductor, a server more."
    ),
)

_UNFINISHED = "SELECT workflow_uuid, status FROM dbos.workflow_status WHERE status IN ('PENDING', 'ENQUEUED')"


def start(extra: ExtraServers) -> Contestant:
    """Return the running peer."""
    database = extra.database("todos_dbos")
    web = extra.web("dbos web", web_of("dbos"), database)
    return Contestant(ABOUT, extra, web, database, unfinished=unfinished_rows(database, _UNFINISHED))


PEER = Peer(ABOUT, code_of("dbos"), start, packages=("dbos",))
