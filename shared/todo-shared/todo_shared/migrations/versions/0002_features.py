"""The tables of what a todo can carry."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"

UNSETTLED = sa.text("status IN ('charging', 'paid')")
MOMENT = sa.DateTime(timezone=True)


def of_todo(table: str) -> tuple[sa.Column[int], sa.ForeignKeyConstraint, sa.PrimaryKeyConstraint]:
    """Return the key of a table that has at most one row for each todo."""
    return (
        sa.Column("todo_id", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(["todo_id"], ["todo.id"], name="fk_todo", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("todo_id", name=f"pk_{table}"),
    )


def upgrade() -> None:
    """Go to this version of the schema."""
    op.create_table(
        "watcher",
        *of_todo("watcher"),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("called_at", MOMENT),
        sa.Column("error", sa.Text),
    )
    op.create_table(
        "reminder",
        *of_todo("reminder"),
        sa.Column("id", sa.String(36), nullable=False, unique=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("sent_at", MOMENT),
    )
    op.create_index("ix_reminder_due", "reminder", ["at"], postgresql_where=sa.text("sent_at IS NULL"))
    op.create_table(
        "meeting",
        *of_todo("meeting"),
        sa.Column("id", sa.String(36), nullable=False, unique=True),
        sa.Column("start", MOMENT, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("minutes", sa.Integer, nullable=False),
        sa.Column("room", sa.String(100), nullable=False),
        sa.Column("invite", sa.String(254), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("steps", JSONB, nullable=False, server_default="{}"),
        sa.Column("reason", sa.Text),
        sa.CheckConstraint(
            "status IN ('planning', 'planned', 'cancelling', 'cancelled', 'refused')", name=op.f("ck_meeting_status")
        ),
    )
    op.create_table(
        "bounty",
        *of_todo("bounty"),
        sa.Column("amount", sa.Integer, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_bounty_amount_positive")),
    )
    op.create_table(
        "payment",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("todo_id", sa.Integer),
        sa.Column("amount", sa.Integer, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("status", sa.String(8), nullable=False),
        sa.Column("charge", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("created_at", MOMENT, nullable=False, server_default=sa.text("now()")),
        sa.ForeignKeyConstraint(["todo_id"], ["todo.id"], name="fk_todo", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name="pk_payment"),
        sa.CheckConstraint("status IN ('charging', 'paid', 'declined', 'refunded')", name=op.f("ck_payment_status")),
        sa.CheckConstraint(
            "status NOT IN ('charging', 'paid') OR todo_id IS NOT NULL", name=op.f("ck_payment_unsettled_has_todo")
        ),
    )
    op.create_index("ix_payment_todo_id", "payment", ["todo_id", "created_at"])
    op.create_index(
        "uq_payment_open",
        "payment",
        ["todo_id"],
        unique=True,
        postgresql_where=UNSETTLED,
    )


def downgrade() -> None:
    """Go back to the version before."""
    for table in ("payment", "bounty", "meeting", "reminder", "watcher"):
        op.drop_table(table)
