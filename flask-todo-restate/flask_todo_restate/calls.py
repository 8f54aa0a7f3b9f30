"""The calls that Restate has accepted and not finished, and how users are told of them: what, since when, and why."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

WHAT = {
    "add_todo": "New todo",
    "update_todo": "Change",
    "delete_todo": "Deletion",
    "clear_completed": "Deleting the completed todos",
    "clear_todos": "Deleting all todos",
    "set_bounty": "The bounty",
    "drop_bounty": "Taking off the bounty",
    "pay": "The payment",
    "refund": "The refund",
    "plan_meeting": "The meeting",
    "cancel_meeting": "Cancelling the meeting",
    "set_watcher": "The watcher",
    "drop_watcher": "Taking away the watcher",
    "set_reminder": "The reminder",
    "cancel_reminder": "Cancelling the reminder",
}
"""The handlers that users call, in words for them."""

# Where in our source it is: the log has that.
_PLACE = re.compile(r" \([^()]*:(\d+|None)\)$")
# The status that another server has answered with, and Retry-After.
_TOLD_TO_WAIT = re.compile(r"\d{3} ")
UNREACHABLE = "RT0010"
"""Restate's code for a service endpoint that does not answer."""


@dataclass(frozen=True)
class Call:
    """A call that was accepted."""

    id: str
    handler: str
    message: Mapping[str, Any] = field(default_factory=dict)
    """What was asked for, as far as it is known."""
    since: datetime | None = None
    attempts: int = 0
    error: str = ""
    """Why the last attempt failed, in plain words."""
    todo: str = ""
    """The task of the todo that it is about, where that is known."""
    endpoint: str = ""
    typed: Mapping[str, Any] = field(default_factory=dict)
    """Where a form was submitted and what was typed into it, if this browser did that."""

    @property
    def task(self) -> str:
        """The text that was typed."""
        return str(self.message.get("task") or "")

    @property
    def todo_id(self) -> int | None:
        """The todo that it is about; a new one has no id yet."""
        todo_id = self.message.get("todo_id")
        return todo_id if isinstance(todo_id, int) else None

    @property
    def tried(self) -> str:
        """How often it was tried, in words."""
        return {0: "not yet tried", 1: "tried once"}.get(self.attempts, f"tried {self.attempts} times")

    @property
    def what(self) -> str:
        """What was asked for, in words."""
        which = f"“{self.todo}”" if self.todo else f"todo {self.todo_id}"
        if self.handler == "update_todo" and not self.task and "completed" in self.message:
            return f"{'Completing' if self.message['completed'] else 'Reopening'} {which}"
        what = WHAT.get(self.handler, self.handler)
        return f"{what} of {which}" if self.todo_id else what


@dataclass(frozen=True)
class Calls:
    """What Restate told at one moment: the latest calls, and how many there are in all."""

    calls: tuple[Call, ...] = ()
    total: int = 0
    service_works: bool | None = None
    """Whether the service has answered of late; None if it had no occasion to."""


def message_of(entry: str) -> Mapping[str, Any]:
    """Return what a call asks for; nothing if that is no message of ours: anybody may call at the ingress."""
    try:
        payload = bytes(json.loads(entry)["Command"]["Input"]["payload"])
        return {name: value for name, value in json.loads(payload).items() if value is not None}
    except (AttributeError, LookupError, TypeError, ValueError, RecursionError):
        return {}


def call_of(row: Mapping[str, Any], message: Mapping[str, Any]) -> Call:
    """Return the call of a row, with what it asks for."""
    return Call(
        row["id"],
        row["target_handler_name"],
        message,
        datetime.fromisoformat(row["created_at"]),
        row.get("retry_count", 0),
        plain(row),
    )


def plain(row: Mapping[str, Any]) -> str:
    """Return why the last attempt failed, in words for users; Restate's dashboard has all of it."""
    if row["status"] == "paused":
        return "it is paused until somebody resumes it"
    if row.get("last_failure_error_code") == UNREACHABLE:
        return "the service does not answer"
    if not (failure := row.get("last_failure", "")):
        return ""
    reason = re.sub(r"^\[[^]]*\] ", "", failure.partition("\n")[0])
    if _TOLD_TO_WAIT.match(reason):
        return "another server asks us to wait"
    temporary = re.fullmatch(r"TemporaryError\((['\"])(.*)\1\)", reason)
    if not temporary:
        return f"something unforeseen: {_PLACE.sub('', reason)[:200]}"
    if str(row.get("last_failure_related_command_name")).startswith("db_"):
        return f"the database is not available: {temporary[2][:200]}"
    return "another server does not answer as it should"
