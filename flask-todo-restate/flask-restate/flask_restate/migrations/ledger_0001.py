"""The ledger's table, for Alembic: add this folder to version_locations and upgrade to heads."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "flask_restate_0001"
down_revision = None


def upgrade() -> None:
    """Go to this version of the schema."""
    # An application may have created the table before it used this package.
    if not sa.inspect(op.get_bind()).has_table("operation"):
        op.create_table(
            "operation",
            sa.Column("operation_id", sa.Text, nullable=False),
            sa.Column("result", sa.JSON().with_variant(JSONB(), "postgresql")),
            sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
            sa.PrimaryKeyConstraint("operation_id", name="pk_operation"),
        )
        op.create_index("ix_operation_created_at", "operation", ["created_at"])
