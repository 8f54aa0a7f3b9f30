"""What Restate has accepted and not finished, as it tells itself: asked in the background, while somebody looks."""

import math
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import requests
from flask import Flask

from flask_restate.addresses import addresses, timeout
from flask_todo_restate.background import Background
from flask_todo_restate.calls import UNREACHABLE, WHAT, Call, Calls, call_of, message_of

__all__ = ["HANDLERS", "PENDING", "UNREACHABLE", "Call", "Pending"]

MAX_LISTED = 50
TIMEOUT_SECONDS = 3.0
MAX_MESSAGES = 1000

MANY = 200
"""If so many calls are not finished, they are not named to Restate, which takes short questions, but looked for."""

RARELY = 50
"""What looks through all that Restate keeps takes a fiftieth of the time at most: a day's calls may take seconds."""

ANSWERED_SECONDS = 10.0
"""How long it is said that the service works, after it was seen that it had answered."""

HANDLERS = ", ".join(f"'{name}'" for name in WHAT)
_STATE = ("status", "retry_count", "last_failure", "last_failure_error_code", "last_failure_related_command_name")
_OF_THE_OTHER = ", ".join(f"CASE WHEN other.id IS NULL THEN call.{x} ELSE other.{x} END AS {x}" for x in _STATE)
PENDING = "status NOT IN ('completed', 'scheduled')"
# What runs, is tried again or queues. This takes the same time however much is kept.
_RUNNING = "SELECT id, TRUE AS runs FROM sys_invocation_state UNION ALL SELECT id, TRUE FROM sys_inbox"
_DONE = "done"
# And what waits for another call or for somebody, among all that is kept; and one row in place of an id if the service
# has answered of late, whichever call it was.
_EVERYTHING = f"""
    {_RUNNING} UNION ALL SELECT * FROM (
      SELECT DISTINCT CASE WHEN status = 'completed' THEN '{_DONE}' ELSE id END, FALSE FROM sys_invocation_status
      WHERE {PENDING} OR completion_result = 'success' AND modified_at > now() - INTERVAL '10 seconds' LIMIT {MANY}
    ) LIMIT {2 * MANY}
"""  # noqa: S608 - nothing in it comes from outside
# What a call waits for in another one, such as the steps of a meeting, is told of that one: of the latest.
_CALLS = f"""
    WITH unfinished AS (
      SELECT * FROM sys_invocation WHERE {PENDING} AND {{among}}
    ), other AS (
      SELECT *, row_number() OVER (PARTITION BY invoked_by_id ORDER BY created_at DESC) AS place
      FROM unfinished WHERE invoked_by_id IS NOT NULL
    ), call AS (
      SELECT *, count(*) OVER () AS total FROM unfinished
      WHERE target_handler_name IN ({HANDLERS}) AND created_at < now() - INTERVAL '1 second'
      ORDER BY created_at DESC LIMIT {MAX_LISTED}
    )
    SELECT call.id, call.target_handler_name, call.created_at, call.total, {_OF_THE_OTHER}
    FROM call LEFT JOIN other ON other.invoked_by_id = call.id AND other.place = 1 ORDER BY call.created_at DESC
"""  # noqa: S608 - as above. What has just begun is not late, and most likely done by now.
_MESSAGES = "SELECT id, entry_json FROM sys_journal WHERE index = 0 AND id IN ({})"
_ID = re.compile("inv_[A-Za-z0-9]+")


class Pending:
    """The calls that are pending, of all browsers."""

    def __init__(self, app: Flask, admin_url: str, check: Callable[[], object]) -> None:
        """Ask the admin API at this address, or at one of several; `check` looks at the ingress at the same time."""
        self._app, self._check = app, check
        self._admin = addresses(admin_url)
        self._session = requests.Session()
        self._session.trust_env = False
        self._messages: dict[str, Mapping[str, Any]] = {}
        self._missing: set[str] = set()
        self._ended: deque[str] = deque(maxlen=MAX_LISTED)
        self._rows: list[dict[str, Any]] = []
        self._waiting: set[str] = set()
        self._asked: dict[str, tuple[float, float]] = {}
        self._answered = -math.inf
        self._background = Background(self._ask, Calls())

    def look(self, wanted: Iterable[str] = ()) -> Calls:
        """Return what is pending, without waiting for long; what these operations asked for will be known, too."""
        for operation_id in wanted:
            if _ID.fullmatch(operation_id):
                self._missing.add(operation_id)
        told = self._background.look()
        if not told.calls:
            return told
        calls = tuple(call for call in told.calls if call.id not in self._ended)
        return replace(told, calls=calls, total=told.total - len(told.calls) + len(calls))

    def ended(self, operation_id: str) -> None:
        """Tell nobody any more that this is pending: the ingress, which was asked later, says that it is not."""
        if operation_id not in self._ended:
            self._ended.append(operation_id)

    def message(self, operation_id: str) -> Mapping[str, Any]:
        """Return what a call asked for, if that is known by now."""
        return self._messages.get(operation_id, {})

    def read(self, operation_id: str) -> Mapping[str, Any]:
        """Return what a call asked for, and wait for it if need be; nothing if Restate does not tell."""
        with suppress(requests.RequestException, LookupError, ValueError):
            self._read_messages({operation_id} - self._messages.keys())
        return self.message(operation_id)

    def _ask(self) -> Calls:
        # It tells the strip and the log. The admin API may answer all the same.
        with self._app.app_context(), suppress(requests.RequestException):
            self._check()
        rows = self._rows = self._unfinished()
        missing = set(list(self._missing)[:MAX_LISTED])
        self._read_messages((missing | {row["id"] for row in rows}) - self._messages.keys())
        self._missing -= missing
        calls = tuple(call_of(row, self._messages.get(row["id"], {})) for row in rows)
        return Calls(calls, rows[0]["total"] if rows else 0, self._service_works(rows))

    def _service_works(self, rows: Iterable[Mapping[str, Any]]) -> bool | None:
        codes = [
            row.get("last_failure_error_code") for row in rows if row.get("last_failure") and row["status"] != "paused"
        ]
        if codes:
            return UNREACHABLE not in codes
        return True if time.monotonic() - self._answered < ANSWERED_SECONDS else None

    def _unfinished(self) -> list[dict[str, Any]]:
        """Return the calls of users that are not finished, as Restate tells them."""
        if (found := self._rarely(_EVERYTHING)) is None:
            found = self.query(f"{_RUNNING} LIMIT {MANY}")
        else:
            self._waiting = {row["id"] for row in found if not row["runs"]}
            if _DONE in self._waiting:
                self._answered = time.monotonic()
        # What was listed may run no more, and wait instead.
        named = {row["id"] for row in [*found, *self._rows]} | self._waiting
        named.discard(_DONE)
        if len(named) >= MANY:
            rows = self._rarely(_CALLS.format(among="TRUE"))
            return self._rows if rows is None else rows
        return self.query(_CALLS.format(among=f"id IN ({_quoted(named)})")) if named else []

    def _rarely(self, sql: str) -> list[dict[str, Any]] | None:
        """Return the rows, or None if it is too early to ask for them again, or if there is no answer."""
        began, (ended, took) = time.monotonic(), self._asked.get(sql, (-math.inf, 0.0))
        if began - ended < RARELY * took:
            return None
        try:
            return self.query(sql)
        except requests.RequestException:
            return None
        finally:
            self._asked[sql] = time.monotonic(), time.monotonic() - began

    def _read_messages(self, ids: Iterable[str]) -> None:
        if quoted := _quoted(ids):
            for row in self.query(_MESSAGES.format(quoted)):
                self._messages[row["id"]] = message_of(row["entry_json"])
        for oldest in list(self._messages)[:-MAX_MESSAGES]:
            self._messages.pop(oldest, None)

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Return the rows of Restate's own tables. Raises requests.RequestException, LookupError or ValueError."""

        def at(address: str, seconds: float) -> requests.Response:
            headers, within = {"accept": "application/json"}, timeout(seconds)
            answer = self._session.post(f"{address}/query", json={"query": sql}, headers=headers, timeout=within)
            answer.raise_for_status()
            return answer

        rows: list[dict[str, Any]] = self._admin.ask(at, TIMEOUT_SECONDS).json()["rows"]
        return rows


def _quoted(ids: Iterable[str]) -> str:
    return ", ".join(f"'{operation_id}'" for operation_id in ids)
