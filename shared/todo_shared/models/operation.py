"""The idempotency ledger."""

from datetime import datetime
from typing import Any

from sqlalchemy import Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from .database import Base, Moment


class Operation(Base):
    """A change that has been made, written in the same transaction as the change itself.

    Only the Restate twin writes it: a repeated step finds the row and returns its result.
    """

    __tablename__ = "operation"

    operation_id: Mapped[str] = mapped_column(Text, primary_key=True)
    result: Mapped[Any] = mapped_column(JSONB, nullable=True)
    created_at: Mapped[datetime] = mapped_column(Moment, server_default=func.now(), index=True)
