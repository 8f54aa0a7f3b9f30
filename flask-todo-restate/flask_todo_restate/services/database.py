"""The service endpoint's own connections to the database: plain SQLAlchemy, there is no Flask here."""

import functools

from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker

from flask_todo_restate.settings import ServiceSettings
from todo_shared.models.database import engine_options
from todo_shared.settings import load


@functools.cache
def sessions() -> sessionmaker[Session]:
    """Return what makes sessions, on one pool for the process."""
    settings = load(ServiceSettings)
    engine = create_engine(settings.database_url, **engine_options(settings))
    return sessionmaker(engine, expire_on_commit=False)
