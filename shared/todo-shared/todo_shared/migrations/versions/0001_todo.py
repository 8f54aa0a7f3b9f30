"""The table todo."""

import sqlalchemy as sa
from alembic import op

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


def downgrade() -> None:
    """Go back to the version before."""
    op.drop_table("todo")
