"""The service endpoint's own connections to the database: plain SQLAlchemy, there is no Flask here."""

import functools

from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker

from flask_restate import Ledger, LedgerMixin
from todo_shared.models.database import Base, engine_options
from todo_shared.settings import DatabaseSettings, load


class Operation(LedgerMixin, Base):
    """A write that has been made."""


@functools.cache
def sessions() -> sessionmaker[Session]:
    """Return what makes sessions, on one pool for the process."""
    settings = load(DatabaseSettings)
    # A step that meets a dead connection is run again by Restate, on a new one: nobody has to ask before each step.
    options = engine_options(settings) | {"pool_pre_ping": False}
    return sessionmaker(create_engine(settings.database_url, **options), expire_on_commit=False)


ledger = Ledger(Operation, lambda: sessions()())
