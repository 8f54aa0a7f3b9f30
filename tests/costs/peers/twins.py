"""The two twins as contestants: they are run by the stack, as everywhere else."""

from tests.costs.measure.extra_servers import ExtraServers
from tests.costs.measure.twin_internals import CODE_OF_ADD
from tests.costs.peers.contestant import Contestant, Peer
from tests.costs.peers.records import About
from tests.costs.source import Counted

_PLAIN = About(
    name="basic",
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
    stack = extra.stack
    web = stack.servers["flask-todo"], stack.ports.web_url("basic")
    return Contestant(PLAIN.about, extra, web, stack.database_url("basic"))


def _start_restate(extra: ExtraServers) -> Contestant:
    stack = extra.stack
    web = stack.servers["flask-todo-restate"], stack.ports.web_url("restate")
    components = [stack.servers[name] for name in ("restate", "restate_app")]
    return Contestant(RESTATE.about, extra, web, stack.database_url("restate"), components)


PLAIN, RESTATE = (
    Peer(about, [Counted(*each) for each in CODE_OF_ADD[about.name].items()], start)
    for about, start in ((_PLAIN, _start_plain), (_RESTATE, _start_restate))
)
