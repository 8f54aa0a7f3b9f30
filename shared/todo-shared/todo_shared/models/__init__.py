"""The tables."""

from .database import db
from .todo import Todo

__all__ = ["Todo", "db"]
