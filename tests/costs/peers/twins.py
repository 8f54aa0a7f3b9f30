"""The two twins as contestants: they are run by the stack, as everywhere else."""

from collections.abc import Sequence

from tests.costs.measure.extra_servers import ExtraServers
from tests.costs.measure.twin_internals import CODE_OF_ADD
from tests.costs.peers.contestant import Contestant, Peer
from tests.costs.peers.records import About
from tests.costs.source import Counted
from todo_stack.process import Server
from todo_stack.twins import PLAIN, RESTATE, Twin

_PLAIN = About(
    name="plain",
    title="flask-todo (plain)",
    durable="nothing but PostgreSQL",
    killed="gunicorn's worker process, which gunicorn starts again",
    not_comparable="It promises nothing before it commits, and a client without an answer cannot ask again safely.",
)

_RESTATE = About(
    name="restate",
    title="flask-todo-restate",
    durable="the Restate server's log, and a ledger row that is committed with the todo",
    killed="the service endpoint",
    not_comparable=(
        "It is a whole application and the peers are sketches: part of its lines sign requests, tell errors apart, "
        "and read settings, which the peers leave to defaults. Its library is counted, too."
    ),
)


def _start_plain(extra: ExtraServers) -> Contestant:
    return _contestant(_PLAIN, PLAIN, extra)


def _start_restate(extra: ExtraServers) -> Contestant:
    return _contestant(_RESTATE, RESTATE, extra, [extra.stack.servers[name] for name in ("restate", "restate_app")])


def _contestant(about: About, twin: Twin, extra: ExtraServers, components: Sequence[Server] = ()) -> Contestant:
    web = extra.stack.servers[twin.title], extra.stack.ports.web_url(twin)
    return Contestant(about, extra, web, extra.stack.database_url(twin), components)


PLAIN_TWIN, RESTATE_TWIN = (
    Peer(about, [Counted(*each) for each in CODE_OF_ADD[about.name].items()], start)
    for about, start in ((_PLAIN, _start_plain), (_RESTATE, _start_restate))
)
