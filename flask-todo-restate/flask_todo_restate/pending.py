"""What Restate has accepted and not finished, as it tells itself: asked in the background, while somebody looks."""

import json
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Generic, TypeVar

import requests
from flask import Flask

from todo_shared.outages import log

T = TypeVar("T")

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

MAX_LISTED = 50
# Not asked more often than this, whoever looks.
INTERVAL_SECONDS = 1.0
# What is older is not shown without asking anew, which a page waits for, but not long.
OLD_SECONDS = 2.0
PATIENCE_SECONDS = 0.3
# How long an answer stands in for one that does not come.
KEPT_SECONDS = 5.0
# For connecting, and for the answer.
TIMEOUT_SECONDS = (0.5, 3.0)
MAX_MESSAGES = 1000

_HANDLERS = ", ".join(f"'{name}'" for name in WHAT)
_CALLS = f"""
    SELECT id, target_handler_name, status, created_at, retry_count, last_failure, last_failure_error_code,
      last_failure_related_command_name, count(*) OVER () AS total
    FROM sys_invocation
    WHERE status NOT IN ('completed', 'scheduled') AND target_handler_name IN ({_HANDLERS})
      AND created_at < now() - INTERVAL '1 second'
    ORDER BY created_at DESC LIMIT {MAX_LISTED}
"""  # noqa: S608 - nothing in it comes from outside. What has just begun is not late, and most likely done by now.
# Whichever call it was: the service has answered.
_DONE = """
    SELECT id FROM sys_invocation
    WHERE status = 'completed' AND completion_result = 'success' AND modified_at > now() - INTERVAL '1 minute' LIMIT 1
"""
_MESSAGES = "SELECT id, entry_json FROM sys_journal WHERE index = 0 AND id IN ({})"
_ID = re.compile("inv_[A-Za-z0-9]+")
_UNREACHABLE = "RT0010"
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
    def times(self) -> str:
        """How often it was tried, in words."""
        return "once" if self.attempts == 1 else f"{self.attempts} times"

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


class Background(Generic[T]):
    """Asks for something in a thread of its own, at most once a second, and only when somebody looks."""

    def __init__(self, ask: Callable[[], T], nothing: T) -> None:
        """`ask` raises requests.RequestException if there is no answer; `nothing` is shown when there was none."""
        self._ask, self._nothing = ask, nothing
        self._latest = nothing
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._wanted = self._fails = self._told = False
        self._tried = self._answered = -OLD_SECONDS

    def look(self) -> T:
        """Return the latest answer. It is at most some seconds old, and this waits a moment for a new one."""
        with self._changed:
            if self._thread is None:
                # Not before: gunicorn forks its workers after the application was made.
                self._thread = threading.Thread(target=self._run, name="pending", daemon=True)
                self._thread.start()
            now = time.monotonic()
            if now - self._tried >= INTERVAL_SECONDS:
                self._wanted = True
                self._changed.notify_all()
            if now - self._tried >= OLD_SECONDS and not self._fails:
                self._changed.wait_for(lambda: self._tried >= now, PATIENCE_SECONDS)
            return self._latest if time.monotonic() - self._answered < KEPT_SECONDS else self._nothing

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted)
            answer, fails = self._latest, True
            try:
                answer, fails = self._ask(), False
            except (requests.RequestException, LookupError, ValueError):
                pass  # No answer, or not that of a Restate server.
            except Exception:
                # Whoever looks would start no other thread.
                if not self._told:
                    log.exception("what is pending cannot be told, because of a bug; this is logged once")
                self._told = True
            with self._changed:
                self._latest, self._fails, self._tried = answer, fails, time.monotonic()
                if not fails:
                    self._answered = self._tried
                # Who has looked meanwhile gets this answer.
                self._wanted = False
                self._changed.notify_all()


class Pending:
    """The calls that are pending, of all browsers."""

    def __init__(self, app: Flask, admin_url: str, check: Callable[[], object]) -> None:
        """Ask the admin API at this address; `check` looks at the ingress at the same time."""
        self._app, self._check = app, check
        self._url = f"{admin_url.rstrip('/')}/query"
        self._session = requests.Session()
        self._session.trust_env = False
        self._messages: dict[str, Mapping[str, Any]] = {}
        self._missing: set[str] = set()
        self._ended: deque[str] = deque(maxlen=MAX_LISTED)
        self._background = Background(self._ask, Calls())

    def look(self, wanted: Iterable[str] = ()) -> Calls:
        """Return what is pending, without waiting for long; what these operations asked for will be known, too."""
        self._missing |= {operation_id for operation_id in wanted if _ID.fullmatch(operation_id)}
        told = self._background.look()
        calls = tuple(call for call in told.calls if call.id not in self._ended)
        return replace(told, calls=calls, total=told.total - len(told.calls) + len(calls))

    def ended(self, operation_id: str) -> None:
        """Tell nobody any more that this is pending: the ingress, which was asked later, says that it is not."""
        if operation_id not in self._ended:
            self._ended.append(operation_id)

    def message(self, operation_id: str) -> Mapping[str, Any]:
        """Return what a call asked for, if that is known by now."""
        return self._messages.get(operation_id, {})

    def _ask(self) -> Calls:
        # It tells the strip and the log. The admin API may answer all the same.
        with self._app.app_context(), suppress(requests.RequestException):
            self._check()
        rows = self._query(_CALLS)
        missing = set(self._missing)
        self._read_messages((missing | {row["id"] for row in rows}) - self._messages.keys())
        self._missing -= missing
        calls = tuple(_call(row, self._messages.get(row["id"], {})) for row in rows)
        return Calls(calls, rows[0]["total"] if rows else 0, self._service_works(rows))

    def _service_works(self, rows: Iterable[Mapping[str, Any]]) -> bool | None:
        codes = [
            row.get("last_failure_error_code") for row in rows if row.get("last_failure") and row["status"] != "paused"
        ]
        if codes:
            return _UNREACHABLE not in codes
        return True if self._query(_DONE) else None

    def _read_messages(self, ids: Iterable[str]) -> None:
        if quoted := ", ".join(f"'{operation_id}'" for operation_id in ids):
            for row in self._query(_MESSAGES.format(quoted)):
                self._messages[row["id"]] = _message(row["entry_json"])
        for oldest in list(self._messages)[:-MAX_MESSAGES]:
            del self._messages[oldest]

    def _query(self, sql: str) -> list[dict[str, Any]]:
        headers = {"accept": "application/json"}
        answer = self._session.post(self._url, json={"query": sql}, headers=headers, timeout=TIMEOUT_SECONDS)
        answer.raise_for_status()
        rows: list[dict[str, Any]] = answer.json()["rows"]
        return rows


def _message(entry: str) -> Mapping[str, Any]:
    """Return what a call asks for; nothing if that is no message of ours: anybody may call at the ingress."""
    try:
        payload = bytes(json.loads(entry)["Command"]["Input"]["payload"])
        return {name: value for name, value in json.loads(payload).items() if value is not None}
    except (AttributeError, LookupError, TypeError, ValueError, RecursionError):
        return {}


def _call(row: Mapping[str, Any], message: Mapping[str, Any]) -> Call:
    return Call(
        row["id"],
        row["target_handler_name"],
        message,
        datetime.fromisoformat(row["created_at"]),
        row.get("retry_count", 0),
        _plain(row),
    )


def _plain(row: Mapping[str, Any]) -> str:
    """Return why the last attempt failed, in words for users; Restate's dashboard has all of it."""
    if row["status"] == "paused":
        return "it is paused until somebody resumes it"
    if row.get("last_failure_error_code") == _UNREACHABLE:
        return "the service does not answer"
    if not (failure := row.get("last_failure", "")):
        return ""
    reason = re.sub(r"^\[[^]]*\] ", "", failure.partition("\n")[0])
    temporary = re.fullmatch(r"TemporaryError\((['\"])(.*)\1\)", reason)
    if not temporary:
        return f"something unforeseen: {reason[:200]}"
    if str(row.get("last_failure_related_command_name")).startswith("db_"):
        return f"the database is not available: {temporary[2][:200]}"
    return "another server does not answer as it should"
