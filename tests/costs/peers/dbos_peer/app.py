"""The web application, in which DBOS runs: the process that takes a request is the one that writes."""

from concurrent.futures import ThreadPoolExecutor

from dbos import DBOS, SetWorkflowID
from flask import Flask

from tests.costs.peers.dbos_peer.workflows import URL, add_todo
from tests.costs.peers.web import PeerSettings, PendingError, build
from todo_shared.schemas import TodoData, TodoRequest
from todo_shared.settings import load


def create_app() -> Flask:
    """Return the application; workflows that an earlier process has left unfinished go on now."""
    settings = load(PeerSettings)
    DBOS(config={"name": "flask-todo-dbos", "system_database_url": URL, "log_level": settings.log_level.upper()})
    DBOS.launch()
    waiting = ThreadPoolExecutor(settings.web_threads, thread_name_prefix="waiting")

    def add(new: TodoRequest, key: str) -> TodoData:
        with SetWorkflowID(key):
            handle = DBOS.start_workflow(add_todo, new.task, new.order)
        # The handle itself has no time-out.
        try:
            return TodoData(**waiting.submit(handle.get_result).result(settings.write_budget))
        except TimeoutError:
            raise PendingError(key) from None

    return build("flask-todo-dbos", settings, add)
