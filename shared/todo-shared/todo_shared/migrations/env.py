"""Runs the migrations: online only, one process at a time, with no time limit."""

from alembic import context
from flask import current_app
from sqlalchemy import NullPool, create_engine, text

from todo_shared.models import db

LOCK = 7_030_517
"""Key of the advisory lock that a migrating process holds. Any number works that nobody else uses."""

# Not the application's engine, whose time-outs are for requests that somebody waits for. Only that for connecting is
# good here too: where the address has several hosts, it is the time for each.
arguments = current_app.config["SQLALCHEMY_ENGINE_OPTIONS"]["connect_args"]
connecting = {name: value for name, value in arguments.items() if name == "connect_timeout"}
engine = create_engine(current_app.config["MIGRATION_URL"], poolclass=NullPool, connect_args=connecting)

if engine.url.username == current_app.config["SQLALCHEMY_DATABASE_URI"].username:
    current_app.logger.warning("the application itself may change the schema: MIGRATION_DATABASE_URL can prevent that")

with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=db.metadata, transaction_per_migration=False)
    with context.begin_transaction():
        # A second process waits here, and then has nothing left to do.
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        context.run_migrations()
