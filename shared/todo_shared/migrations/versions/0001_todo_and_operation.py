"""The tables todo and operation."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

NOW = sa.text("now()")


def upgrade() -> None:
    """Go to this version of the schema."""
    op.create_table(
        "todo",
        sa.Column("id", sa.Integer, sa.Identity(), nullable=False),
        sa.Column("task", sa.String(200), nullable=False),
        sa.Column("completed", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("order", sa.Integer),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=NOW),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, server_default=NOW),
        sa.PrimaryKeyConstraint("id", name="pk_todo"),
        sa.CheckConstraint("task <> ''", name="ck_todo_task_not_blank"),
    )
    op.create_table(
        "operation",
        sa.Column("operation_id", sa.Text, nullable=False),
        sa.Column("result", postgresql.JSONB),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=NOW),
        sa.PrimaryKeyConstraint("operation_id", name="pk_operation"),
    )
    # The purge of old rows looks for them by age.
    op.create_index("ix_operation_created_at", "operation", ["created_at"])


def downgrade() -> None:
    """Go back to the version before."""
    op.drop_table("operation")
    op.drop_table("todo")
