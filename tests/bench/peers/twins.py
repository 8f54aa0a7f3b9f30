"""The two twins as contestants: they are run by the stack, as everywhere else."""

from tests.bench.peers.contestant import About, Contestant, Parts
from tests.bench.peers.lines import Counted
from todo_stack.stack import Stack

_OTHER_ROUTES = ("clear_todos", "update_todo", "delete_todo")
_TWIN = "flask-todo-restate/flask_todo_restate"

PLAIN = About(
    title="flask-todo (plain)",
    code=(Counted("flask-todo/flask_todo/app.py"), Counted("flask-todo/flask_todo/api.py", _OTHER_ROUTES)),
    durable="nothing but PostgreSQL",
    killed="gunicorn's worker process, which gunicorn starts again",
    not_comparable="It promises nothing before it commits, and a client without an answer cannot ask again safely.",
)

RESTATE = About(
    title="flask-todo-restate",
    code=(
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
    durable="the Restate server's log, and a ledger row that is committed with the todo",
    killed="the service endpoint",
    not_comparable=(
        "It is a whole application and the peers are sketches: part of its lines sign requests, tell errors apart, "
        "and read settings, which the peers leave to defaults."
    ),
)


def plain(stack: Stack) -> Contestant:
    """Return the plain twin of a running stack."""
    web = stack.servers["flask-todo"]
    url = stack.ports.web_url("basic")
    return Contestant("basic", PLAIN, Parts(web), stack=stack, url=url, database_url=stack.database_url("basic"))


def restate(stack: Stack) -> Contestant:
    """Return the Restate twin of a running stack."""
    service = stack.servers["restate_app"]
    parts = Parts(stack.servers["flask-todo-restate"], [stack.servers["restate"], service], writer=service)
    url = stack.ports.web_url("restate")
    return Contestant("restate", RESTATE, parts, stack=stack, url=url, database_url=stack.database_url("restate"))
