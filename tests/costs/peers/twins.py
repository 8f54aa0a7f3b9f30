"""The two twins as contestants: they are run by the stack, as everywhere else."""

from tests.costs.measure.extra_servers import ExtraServers
from tests.costs.peers.contestant import Contestant, Peer
from tests.costs.peers.records import About
from tests.costs.source import Counted

_OTHER_ROUTES = ("clear_todos", "update_todo", "delete_todo")
_TWIN = "flask-todo-restate/flask_todo_restate"

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
        "and read settings, which the peers leave to defaults."
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


PLAIN = Peer(
    _PLAIN,
    (Counted("flask-todo/flask_todo/app.py"), Counted("flask-todo/flask_todo/api.py", _OTHER_ROUTES)),
    _start_plain,
)
RESTATE = Peer(
    _RESTATE,
    (
        Counted(f"{_TWIN}/app.py"),
        Counted(f"{_TWIN}/api.py", (*_OTHER_ROUTES, "read_operation")),
        Counted(f"{_TWIN}/messages.py", ("TodoItemRequest", "TodoUpdateRequest")),
        Counted(f"{_TWIN}/outcomes.py", ("notices", "Notice", "_remember", "WHAT", "MAX_REMEMBERED", "ASK_SECONDS")),
        Counted(f"{_TWIN}/register.py"),
        Counted(
            f"{_TWIN}/restate_client.py",
            ("Operation", "OperationNotFoundError", "QuestionError", "RestateClient.operation"),
        ),
        Counted(f"{_TWIN}/restate_server.py", ("purge_ledger",)),
        Counted(f"{_TWIN}/services/database.py"),
        Counted(f"{_TWIN}/services/ledger.py", ("purge",)),
        Counted(f"{_TWIN}/services/todo_service.py", (*_OTHER_ROUTES, "DELETE_MAX_DURATION")),
        Counted(f"{_TWIN}/settings.py", ("DeploymentSettings", "RetrySettings.delete_max_duration_seconds")),
    ),
    _start_restate,
)
