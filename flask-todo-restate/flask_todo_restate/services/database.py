"""The service endpoint's own connections to the database: plain SQLAlchemy, there is no Flask here."""

import functools

from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker

from todo_shared.models.database import engine_options
from todo_shared.settings import DatabaseSettings, load


@functools.cache
def sessions() -> sessionmaker[Session]:
    """Return what makes sessions, on one pool for the process."""
    settings = load(DatabaseSettings)
    engine = create_engine(settings.database_url, **engine_options(settings))
    return sessionmaker(engine, expire_on_commit=False)
