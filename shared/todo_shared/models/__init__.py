"""The tables."""

from .database import db
from .operation import Operation
from .todo import Todo

__all__ = ["Operation", "Todo", "db"]
