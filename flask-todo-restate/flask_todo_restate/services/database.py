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
    # A step that meets a dead connection is run again by Restate, on a new one: nobody has to ask before each step.
    options = engine_options(settings) | {"pool_pre_ping": False}
    engine = create_engine(settings.database_url, **options)
    return sessionmaker(engine, expire_on_commit=False)
