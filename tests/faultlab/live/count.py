"""The count of the live lab: what clients were told, beside what SELECTs find in both databases."""

import sqlite3
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import psycopg2
import requests

from tests.faultlab.laboratory import LONGER_THAN_EVERY_TIMEOUT_SECONDS, Laboratory
from tests.faultlab.legend import BAD, LEGEND
from tests.faultlab.submitted import SubmittedOperation
from tests.support.history import WHOLE, Outcome, judge
from tests.support.outside_world import OutsideWorldClient
from tests.support.running_twin import RunningTwin
from tests.support.truth import REMINDS, count_effects

RESTS_SECONDS = 3.0
"""So long after its last answer an operation that is judged has come to rest."""
LOOKED_AT_AGAIN = 10
"""So many of those are counted again each time, in turn: something may still happen to them."""
DUE_SECONDS = 20.0
"""So long after it was asked for, with everything running, a reminder is sent; or others are, before it."""
SHOWN = 60

GOES_ON = "goes on"
_RECEIVERS = {"pay": ("payments", "paid"), "tell": ("hooks", "received"), "plan": ("calendar", "booked")}
_RECEIVERS["remind"] = ("mail", "sent")
_DONE = {
    "pay": "SELECT todo_id FROM payment WHERE status IN ('paid', 'refunded')",
    "tell": "SELECT id FROM todo WHERE completed",
    "plan": "SELECT todo_id FROM meeting WHERE status = 'planned'",
    "remind": "SELECT todo_id FROM reminder WHERE sent_at IS NOT NULL",
}


class KeptEffects(OutsideWorldClient):
    """What the outside world did, read in its database: also while its server is down."""

    def __init__(self, lab: Laboratory) -> None:
        """Take the file of a laboratory's outside world."""
        super().__init__(lab.stack.ports.outside_world_url, lab.which.key)
        self._file = lab.stack.data.resolve() / "outside_world.sqlite"

    def effects(self, receiver: str | None = None, **chosen: str) -> list[dict[str, Any]]:
        """Return what a receiver did with exactly this reference, the newest first."""
        query = "SELECT at, what, subject, key FROM effect WHERE receiver = ? AND reference = ? ORDER BY id DESC"
        return self._rows(query, receiver, chosen["reference"])

    def todos(self, receiver: str, what: str) -> list[int]:
        """Return the todos for which a receiver did this, each as often as it did and did not undo it."""
        query = (
            "SELECT reference FROM effect did WHERE receiver = ? AND what = ? AND NOT EXISTS"
            " (SELECT 1 FROM effect undid WHERE undid.what = 'cancelled'"
            " AND undid.receiver = did.receiver AND undid.subject = did.subject)"
        )
        rows = self._rows(query, receiver, what)
        return [int(row["reference"].split("/")[1]) for row in rows if row["reference"].startswith(f"{self._twin}/")]

    def _rows(self, query: str, *parameters: str | None) -> list[dict[str, Any]]:
        connection = sqlite3.connect(f"{self._file.as_uri()}?mode=ro", uri=True)
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute(query, parameters)]
        finally:
            connection.close()


class KeptConnection(RunningTwin):
    """A twin whose rows are read on one connection: many counts would cost its database more than its customers."""

    _connection: Any = None

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        try:
            if not self._connection:
                self._connection = psycopg2.connect(self.stack.database_url(self.which))
                self._connection.autocommit = True
            with self._connection.cursor() as cursor:
                cursor.execute(query, parameters or None)
                rows: list[tuple[Any, ...]] = cursor.fetchall()
                return rows
        except psycopg2.Error:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        if self._connection:
            self._connection.close()
        self._connection = None


class Count:
    """What there is of each operation of a twin, and the sums."""

    def __init__(self, lab: Laboratory) -> None:
        """Count in a laboratory that runs."""
        self._lab = lab
        self._twin = KeptConnection(lab.which, lab.stack, lab.twin.url)
        self._world = KeptEffects(lab)
        self._at_rest: dict[str, None] = {}
        self._words: dict[str, tuple[int, str]] = {}
        self._rows: list[dict[str, Any]] = []
        self.reached = False
        """Whether the databases answered the last time."""
        self._sending_since = 0.0
        """Since when everything runs, or when the last reminder was sent."""

    def update(
        self, operations: Sequence[SubmittedOperation], running: Collection[str], asking: Collection[str]
    ) -> None:
        """Count again, with these servers running; if the database is away, what was found before stays.

        `asking` are the keys of those whose client is not through.
        """
        if len(running) < len(self._lab.processes):
            self._sending_since = time.monotonic()
        self.reached = "database" in running
        if not self.reached:
            return
        for key in list(self._at_rest)[:LOOKED_AT_AGAIN]:
            del self._at_rest[key]
        looked_at = [one for one in operations if one.key not in self._at_rest]
        # In this order: what is counted belongs to these answers, and to what had ended before.
        answers = {one.key: len(one.answers) for one in looked_at}
        still_asked = {one.key for one in looked_at if one.key in asking}
        busy = self._lab.which.durable and ("Restate" not in running or self._goes_on())
        try:
            count_effects(self._twin, looked_at, self._world)
            before, self._rows = self._rows, self._by_kind(operations)
            if _sent(before) != _sent(self._rows):
                self._sending_since = time.monotonic()
        except (psycopg2.Error, sqlite3.Error):
            self.reached = False
            return
        for operation in looked_at:
            operation.settled = not busy
            word = GOES_ON if operation.key in still_asked else self._judge(operation)
            # Told something meanwhile, it is to be counted again.
            self._words[operation.key] = answers[operation.key], word
            if word != GOES_ON and time.monotonic() - operation.answers[-1].at > RESTS_SECONDS:
                self._at_rest[operation.key] = None

    def close(self) -> None:
        """Close the connection to the database."""
        self._twin.close()

    def forget(self) -> None:
        """Begin anew."""
        self._rows, self._words, self._at_rest = [], {}, {}

    def word(self, operation: SubmittedOperation) -> str:
        """Return the verdict on an operation, or that it goes on."""
        answers, word = self._words.get(operation.key, (0, GOES_ON))
        return word if answers == len(operation.answers) else GOES_ON

    def _judge(self, operation: SubmittedOperation) -> str:
        truth = operation.truth
        if truth is None or not operation.answers:
            return GOES_ON
        told_enough = operation.outcome not in (Outcome.PENDING, Outcome.UNKNOWN) and truth == WHOLE
        # What Restate is still at may become whole, whatever its client was told; twice stays twice.
        if self._lab.which.durable and not operation.settled and not told_enough and truth.times <= 1:
            return GOES_ON
        # Its client waits no longer, and it may still be at work.
        timed_out = operation.detail == requests.ReadTimeout.__name__
        grace = LONGER_THAN_EVERY_TIMEOUT_SECONDS if timed_out else RESTS_SECONDS
        is_quiet = time.monotonic() - operation.answers[-1].at > grace
        if operation.outcome is Outcome.UNKNOWN and truth != WHOLE and not is_quiet:
            return GOES_ON
        # Between two of Restate's partitions a call is in no table for a moment.
        if self._lab.which.durable and truth.times < 1 and judge(operation) in BAD and not is_quiet:
            return GOES_ON
        waits = operation.kind in REMINDS and truth.goes_on
        if waits and time.monotonic() - max(operation.invoked_at, self._sending_since) < DUE_SECONDS:
            return GOES_ON
        return judge(operation).value

    def operation_shown(self, operation: SubmittedOperation) -> dict[str, Any]:
        """Return one operation for the page."""
        truth = operation.truth
        return {
            "key": operation.key,
            "kind": operation.kind,
            "todo": operation.todo_id,
            "told": f"{operation.outcome.value} ({operation.detail})" if operation.answers else "nothing yet",
            "asked": len(operation.answers),
            "there": str(truth) if truth else "not counted",
            "verdict": self.word(operation),
        }

    def shown(self, operations: Sequence[SubmittedOperation]) -> dict[str, Any]:
        """Return the sums by kind and by verdict, and the last operations, the newest first."""
        words = [(operation.kind, self.word(operation)) for operation in operations]
        verdicts = Counter(word for _, word in words)
        bad = Counter(kind for kind, word in words if word in {verdict.value for verdict in BAD})
        return {
            "reached": self.reached,
            "kinds": [{**row, "bad": bad[row["kind"]]} for row in self._rows],
            "verdicts": {verdict.value: verdicts[verdict.value] for verdict in LEGEND},
            "goes_on": verdicts[GOES_ON],
            "bad": bad.total(),
            "operations": [self.operation_shown(one) for one in self._listed(operations)],
        }

    def _listed(self, operations: Sequence[SubmittedOperation]) -> list[SubmittedOperation]:
        """Return the last operations, and of those before the bad ones, the newest first."""
        words = {verdict.value for verdict in BAD}
        bad_before = [one for one in operations[:-SHOWN] if self.word(one) in words]
        return [*operations[: -SHOWN - 1 : -1], *bad_before[::-1]]

    def _by_kind(self, operations: Sequence[SubmittedOperation]) -> list[dict[str, Any]]:
        """Return, for each kind: how many were asked for, told that it worked, and are in either database."""
        tasks = Counter(task for (task,) in self._twin.rows("SELECT task FROM todo"))
        rows = []
        for kind in dict.fromkeys(one.kind for one in operations):
            mine = [one for one in operations if one.kind == kind]
            ids = {one.todo_id for one in mine}
            if kind in _DONE:
                done = sum(todo_id in ids for (todo_id,) in self._twin.rows(_DONE[kind]))
                outside = sum(todo_id in ids for todo_id in self._world.todos(*_RECEIVERS[kind]))
            else:
                there = [tasks[one.marker] for one in mine]
                done, outside = sum(not number for number in there) if kind == "delete" else sum(there), None
            told = sum(one.outcome in (Outcome.OK, Outcome.PENDING) for one in mine)
            rows.append({"kind": kind, "asked": len(mine), "told": told, "database": done, "outside": outside})
        return rows

    def _goes_on(self) -> bool:
        try:
            return bool(self._lab.twin.unfinished())
        except requests.RequestException:
            return True


def _sent(rows: Sequence[Mapping[str, Any]]) -> list[int]:
    return [row["database"] for row in rows if row["kind"] == "remind"]
