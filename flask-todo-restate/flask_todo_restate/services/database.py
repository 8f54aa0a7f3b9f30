"""The service endpoint's own connections to the database, without Flask, and which refusals end a call."""

import functools

from sqlalchemy import create_engine
from sqlalchemy.orm import Session, sessionmaker

from flask_restate import ERRORS, SQLSTATES, Ends, Ledger, LedgerMixin
from todo_shared.features.errors import ConflictError, DeclinedError, NotSetError
from todo_shared.models.database import REFUSALS, Base, engine_options
from todo_shared.operations import TodoNotFoundError
from todo_shared.settings import DatabaseSettings, load

ERRORS[TodoNotFoundError] = Ends(404)
ERRORS.update({kind: Ends(kind.status) for kind in (NotSetError, ConflictError, DeclinedError)})
SQLSTATES.update({state: Ends(*refusal) for state, refusal in REFUSALS.items()})


class Operation(LedgerMixin, Base):
    """A write that was made."""


@functools.cache
def sessions() -> sessionmaker[Session]:
    """Return the factory for sessions, which share one pool per process."""
    settings = load(DatabaseSettings)
    # When a step meets a dead connection, Restate runs it again on a new one, so no ping is needed before each step.
    options = engine_options(settings) | {"pool_events": []}
    return sessionmaker(create_engine(settings.database_url, **options), expire_on_commit=False)


ledger = Ledger(Operation, lambda: sessions()())
