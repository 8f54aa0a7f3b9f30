"""The workers' own connections to the database: plain SQLAlchemy, there is no Flask here."""

import functools
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker

from todo_shared import operations
from todo_shared.models.database import engine_options
from todo_shared.schemas import TodoData
from todo_shared.settings import DatabaseSettings, load


@functools.cache
def sessions() -> sessionmaker[Session]:
    """Return what makes sessions, on one pool for the process."""
    settings = load(DatabaseSettings)
    engine = create_engine(settings.database_url, **engine_options(settings))
    return sessionmaker(engine, expire_on_commit=False)


def add(session: Session, task: str, order: int | None) -> dict[str, Any]:
    """Add a todo on this session and return it as JSON has it; the caller commits."""
    return TodoData.model_validate(operations.add(session, task, order)).model_dump()
