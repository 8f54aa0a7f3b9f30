"""The count of the live lab: what clients were told, beside what SELECTs find in both databases."""

import sqlite3
import time
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

import psycopg2
import requests

from tests.faultlab.laboratory import Laboratory
from tests.faultlab.legend import LEGEND
from tests.faultlab.submitted import SubmittedOperation
from tests.support.history import WHOLE, Outcome, Verdict, judge
from tests.support.outside_world import OutsideWorldClient
from tests.support.truth import REMINDS, count_effects

RECENT = 40
"""Operations that are counted again each time; of the others those that had not come to rest."""
DUE_SECONDS = 20.0
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
        """Return the todos for which a receiver did this, each as often as it did."""
        rows = self._rows("SELECT reference FROM effect WHERE receiver = ? AND what = ?", receiver, what)
        return [int(row["reference"].split("/")[1]) for row in rows if row["reference"].startswith(f"{self._twin}/")]

    def _rows(self, query: str, *parameters: str | None) -> list[dict[str, Any]]:
        connection = sqlite3.connect(f"{self._file.as_uri()}?mode=ro", uri=True)
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute(query, parameters)]
        finally:
            connection.close()


class Count:
    """What there is of each operation of a twin, and the sums."""

    def __init__(self, lab: Laboratory) -> None:
        """Count in a laboratory that runs."""
        self._lab = lab
        self._world = KeptEffects(lab)
        self._at_rest: set[str] = set()
        self._rows: list[dict[str, Any]] = []
        self.reached = False
        """Whether the databases answered the last time."""

    def update(self, operations: Sequence[SubmittedOperation], running: Collection[str]) -> None:
        """Count again, with these servers running; if the database is away, what was found before stays."""
        self.reached = "database" in running
        if not self.reached:
            return
        looked_at = list(operations[-RECENT:])
        looked_at += [one for one in operations[:-RECENT] if one.key not in self._at_rest]
        try:
            count_effects(self._lab.twin, looked_at, self._world)
            self._rows = self._by_kind(operations)
        except (psycopg2.Error, sqlite3.Error):
            self.reached = False
            return
        busy = self._lab.which.durable and ("Restate" not in running or self._goes_on())
        for operation in looked_at:
            operation.settled = not busy
            if self.word(operation) != GOES_ON:
                self._at_rest.add(operation.key)

    def word(self, operation: SubmittedOperation) -> str:
        """Return the verdict on an operation, or that it goes on."""
        if operation.truth is None or not operation.answers:
            return GOES_ON
        promised = operation.outcome in (Outcome.PENDING, Outcome.UNKNOWN, Outcome.FAIL)
        if self._lab.which.durable and promised and not operation.settled and operation.truth != WHOLE:
            return GOES_ON
        waits = operation.kind in REMINDS and operation.truth.goes_on
        if waits and time.monotonic() - operation.invoked_at < DUE_SECONDS:
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
            "operations": [self.operation_shown(one) for one in operations[: -SHOWN - 1 : -1]],
        }

    def _by_kind(self, operations: Sequence[SubmittedOperation]) -> list[dict[str, Any]]:
        """Return, for each kind: how many were asked for, told that it worked, and are in either database."""
        tasks = Counter(task for (task,) in self._lab.twin.rows("SELECT task FROM todo"))
        rows = []
        for kind in dict.fromkeys(one.kind for one in operations):
            mine = [one for one in operations if one.kind == kind]
            ids = {one.todo_id for one in mine}
            if kind in _DONE:
                done = sum(todo_id in ids for (todo_id,) in self._lab.twin.rows(_DONE[kind]))
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


BAD = (Verdict.LOST, Verdict.DUPLICATED, Verdict.HALF_DONE, Verdict.STUCK)
"""What must not be."""
