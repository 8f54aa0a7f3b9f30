"""How Alembic runs the migrations: online only, on the application's engine, one process at a time."""

from alembic import context
from sqlalchemy import text

from todo_shared.models import db

LOCK = 7_030_517
"""Key of the advisory lock that a migrating process holds; any number of our own."""

with db.engine.connect() as connection:
    context.configure(connection=connection, target_metadata=db.metadata, transaction_per_migration=False)
    with context.begin_transaction():
        # A second process waits here, and then finds that nothing is left to do.
        connection.execute(text("SET LOCAL statement_timeout = '60s'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        context.run_migrations()
