"""The todo."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Identity, String, false, func
from sqlalchemy.orm import Mapped, mapped_column

from todo_shared.validation import TASK_MAX_LENGTH

from .database import Base, Moment


class Todo(Base):
    """One thing to do."""

    __tablename__ = "todo"
    __table_args__ = (CheckConstraint("task <> ''", name="task_not_blank"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    task: Mapped[str] = mapped_column(String(TASK_MAX_LENGTH))
    completed: Mapped[bool] = mapped_column(default=False, server_default=false())
    order: Mapped[int | None]
    """The position that a client chose for its own list. The server does not sort by it."""
    created_at: Mapped[datetime] = mapped_column(Moment, server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(Moment, server_default=func.now(), onupdate=func.now())
