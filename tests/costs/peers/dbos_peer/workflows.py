"""The workflow, and its one step as a transaction: what DBOS notes of the step is committed together with the todo."""

from typing import Any

from dbos import DBOS, SQLAlchemyDatasource
from sqlalchemy import create_engine

from tests.costs.peers import database
from todo_shared.models.database import complete_url, engine_options
from todo_shared.settings import DatabaseSettings, load

settings = load(DatabaseSettings)
# DBOS knows psycopg only, whatever the todos are written with.
URL = complete_url(settings).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)

datasource = SQLAlchemyDatasource.create(URL, engine=create_engine(settings.database_url, **engine_options(settings)))


# Its default is SERIALIZABLE; an insert needs no more than the other contestants have.
@datasource.transaction(isolation_level="READ COMMITTED")
def insert_todo(task: str, order: int | None) -> dict[str, Any]:
    """Insert the todo."""
    return database.add(datasource.sql_session(), task, order)


@DBOS.workflow()
def add_todo(task: str, order: int | None) -> dict[str, Any]:
    """Add a todo and return it."""
    return insert_todo(task, order)
