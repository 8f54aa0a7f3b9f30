"""The durable add with DBOS: a workflow in the web process, its journal in the todos' own database.

The workflow's one step is a transaction: what DBOS notes of it is committed together with the todo.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dbos import DBOS, SetWorkflowID, SQLAlchemyDatasource
from flask import Flask

from tests.costs.peers import sketch
from tests.costs.peers.sketch import settings, web_application
from todo_shared.schemas import TodoRequest

# DBOS knows psycopg only, whatever the todos are written with.
URL = sketch.DATABASE_URL.replace("postgresql:", "postgresql+psycopg:", 1)
datasource = SQLAlchemyDatasource.create(URL, engine=sketch.engine)


# Its default is SERIALIZABLE; an insert needs no more than the other contestants have.
@datasource.transaction(isolation_level="READ COMMITTED")
def insert_todo(task: str, order: int | None) -> dict[str, Any]:
    """Insert the todo."""
    return sketch.insert_todo(datasource.sql_session(), task, order)


@DBOS.workflow()
def add_todo(task: str, order: int | None) -> dict[str, Any]:
    """Add a todo and return it."""
    return insert_todo(task, order)


def create_app() -> Flask:
    """Return the web application; workflows that an earlier process has left unfinished go on now."""
    DBOS(config={"name": "flask-todo-dbos", "system_database_url": URL, "log_level": settings.log_level.upper()})
    DBOS.launch()
    waiting = ThreadPoolExecutor(settings.web_threads, thread_name_prefix="waiting")

    def add(new: TodoRequest, key: str) -> dict[str, Any]:
        with SetWorkflowID(key):
            handle = DBOS.start_workflow(add_todo, new.task, new.order)
        # The handle itself has no time-out.
        return waiting.submit(handle.get_result).result(settings.write_budget)

    return web_application("flask-todo-dbos", add)
