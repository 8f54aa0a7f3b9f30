"""The tables."""

from .database import db
from .features import Bounty, Meeting, Payment, Reminder, Watcher
from .todo import Todo

__all__ = ["Bounty", "Meeting", "Payment", "Reminder", "Todo", "Watcher", "db"]
