"""What there is of an operation: counted in the twin's database and in the outside world, past the application."""

import contextlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from typing import NamedTuple

from tests.support.history import NOTHING, WHOLE, ClientOperation, Truth, Verdict, judge
from tests.support.outside_world import OutsideWorldClient
from tests.support.running_twin import RunningTwin, new_key
from tests.support.waiting import StillMissingError, until

BASIC = ("add", "update", "delete")
"""What is done to a todo itself."""
FEATURES = ("pay", "refund", "tell", "set reminder", "remind", "plan", "cancel", "delete met")
"""What is done with what a todo carries, and calls others."""
OPERATIONS = (*BASIC, *FEATURES)
REMINDS = ("set reminder", "remind")
"""What ends with a mail: the same twice, but the first is broken while it is set, and the second when it is due."""

REMINDED_SECONDS = 60.0
STAYS_SECONDS = 10.0
_LACKING = (Verdict.LOST, Verdict.HALF_DONE, Verdict.STUCK)
AMOUNT, CURRENCY = 1250, "EUR"


class Evidence(NamedTuple):
    """Where to look for what there is of one todo."""

    twin: RunningTwin
    world: OutsideWorldClient
    todo_id: int

    def done(self, receiver: str) -> list[str]:
        """Return what a receiver did for the todo, in its words, the oldest first."""
        return [effect["what"] for effect in self.world.effects_for(self.todo_id, receiver)]

    def statuses(self, table: str) -> list[str]:
        """Return the states of what the todo has in a table."""
        query = f"SELECT status FROM {table} WHERE todo_id = %s"  # noqa: S608 - a table of ours
        return [status for (status,) in self.twin.rows(query, self.todo_id)]


def prepare(twin: RunningTwin, operation: ClientOperation) -> None:
    """Make what an operation begins with, past the application: the todo, and what it carries."""
    if operation.kind == "add":
        return
    before = operation.marker if operation.kind == "delete" else f"before {operation.marker}"
    ((todo_id,),) = twin.rows("INSERT INTO todo (task) VALUES (%s) RETURNING id", before)
    operation.todo_id = todo_id
    if operation.kind == "tell":
        twin.rows("INSERT INTO watcher (todo_id, url) VALUES (%s, %s)", todo_id, hook_of(twin))
    if operation.kind in ("cancel", "delete met"):
        # Not past the application, which has a workflow of its own for each meeting.
        planned = ClientOperation("plan", "", new_key(), todo_id)
        twin.operate(planned)
        until(lambda: _plan(Evidence(twin, _world(twin), todo_id)) == WHOLE, f"a meeting ({planned.detail})")
    if operation.kind in ("pay", "refund"):
        twin.rows("INSERT INTO bounty (todo_id, amount, currency) VALUES (%s, %s, %s)", todo_id, AMOUNT, CURRENCY)
    if operation.kind == "refund":
        payment_id, world = new_key(), _world(twin)
        body = {"amount": AMOUNT, "currency": CURRENCY, "reference": f"{twin.which.key}/{todo_id}"}
        charge = world.ask("POST", "/payments", body, key=payment_id).json()["id"]
        twin.rows(
            "INSERT INTO payment (id, todo_id, amount, currency, status, charge) VALUES (%s, %s, %s, %s, 'paid', %s)",
            *(payment_id, todo_id, AMOUNT, CURRENCY, charge),
        )


def hook_of(twin: RunningTwin) -> str:
    """Return a watcher's URL, where the twin sees the outside world, which may lead through a proxy."""
    return f"{twin.writer.env['OUTSIDE_WORLD_URL']}/hooks/{twin.which.key}"


def count_effects(
    twin: RunningTwin, operations: Iterable[ClientOperation], world: OutsideWorldClient | None = None
) -> None:
    """Count what there is of operations; the outside world is asked, unless somebody is given who knows it."""
    world = world or _world(twin)
    tasks = Counter(task for (task,) in twin.rows("SELECT task FROM todo"))
    for operation in operations:
        if operation.kind in FEATURES:
            assert operation.todo_id
            operation.truth = _FEATURES[operation.kind](Evidence(twin, world, operation.todo_id))
        else:
            # Of a deletion that the todo is gone, else its text.
            there = tasks[operation.marker]
            operation.truth = Truth(int(there == 0) if operation.kind == "delete" else there)


def count_in_the_end(twin: RunningTwin, operations: Collection[ClientOperation]) -> None:
    """Count what there is of operations once nothing is in flight; what the Restate twin lacks must stay lacking.

    A call that one partition of Restate hands to another is in flight, and in no table, until that one is there: for a
    moment as a rule, after a restart for longer.
    """

    def all_is_there() -> bool:
        count_effects(twin, operations)
        return not twin.which.durable or not any(judge(operation) in _LACKING for operation in operations)

    with contextlib.suppress(StillMissingError):
        until(all_is_there, "what was promised is there", STAYS_SECONDS)


def wait_for_reminders(twin: RunningTwin, operations: Iterable[ClientOperation]) -> None:
    """Wait until all reminders that were set are mailed; if they are not in a minute, the truth says so."""
    due = [operation for operation in operations if operation.kind in REMINDS]

    def none_waits() -> bool:
        count_effects(twin, due)
        return not any(operation.truth and operation.truth.goes_on for operation in due)

    with contextlib.suppress(StillMissingError):
        until(none_waits, "all reminders are mailed", REMINDED_SECONDS)


def seconds_late(twin: RunningTwin, operation: ClientOperation) -> float | None:
    """Return how long after it was due a reminder was mailed; None if it was not, or this is none."""
    if operation.kind not in REMINDS or not operation.todo_id:
        return None
    due = twin.rows("SELECT at FROM reminder WHERE todo_id = %s", operation.todo_id)
    mails = _world(twin).effects_for(operation.todo_id, "mail")
    return round((datetime.fromisoformat(mails[0]["at"]) - due[0][0]).total_seconds(), 3) if mails else None


def _world(twin: RunningTwin) -> OutsideWorldClient:
    return OutsideWorldClient(twin.stack.ports.outside_world_url, twin.which.key)


def _pay(found: Evidence) -> Truth:
    charged, states = found.done("payments").count("paid"), found.statuses("payment")
    # What is refunded was paid.
    recorded = states.count("paid") + states.count("refunded")
    truth = _both(charged, recorded, "charged and not recorded", "recorded and not charged")
    return truth._replace(goes_on="charging" in states)


def _refund(found: Evidence) -> Truth:
    given, recorded = found.done("payments").count("refunded"), found.statuses("payment").count("refunded")
    return _both(given, recorded, "given back and not recorded", "recorded and not given back")


def _tell(found: Evidence) -> Truth:
    ((completed,),) = found.twin.rows("SELECT completed FROM todo WHERE id = %s", found.todo_id)
    told = found.done("hooks").count("received")
    return _both(told, int(completed), "told and not completed", "completed and its watcher not told")


def _remind(found: Evidence) -> Truth:
    query = "SELECT count(*) FILTER (WHERE sent_at IS NULL), count(sent_at) FROM reminder WHERE todo_id = %s"
    ((waiting, sent),) = found.twin.rows(query, found.todo_id)
    truth = _both(found.done("mail").count("sent"), sent, "mailed and not recorded", "recorded and not mailed")
    return truth._replace(goes_on=waiting > 0)


def _meeting(found: Evidence) -> tuple[list[str], str | None, bool]:
    """Return what is there of a todo's meetings in the outside world, its recorded state, and whether all is done."""
    there: list[str] = []
    for what, receiver in {"event": "calendar", "room": "rooms"}.items():
        effects = found.world.effects_for(found.todo_id, receiver)
        ids = {did: {one["subject"] for one in effects if one["what"] == did} for did in ("booked", "cancelled")}
        there += [what] * len(ids["booked"] - ids["cancelled"])
    mails = Counter(effect["key"] for effect in found.world.effects_for(found.todo_id, "mail"))
    there += ["invitation"] * sum(
        # One that was withdrawn is none, whichever of the two mails came first.
        number
        for key, number in mails.items()
        if not key.endswith("/cancelled") and f"{key}/cancelled" not in mails
    )
    rows = found.twin.rows("SELECT status, steps FROM meeting WHERE todo_id = %s", found.todo_id)
    status, steps = rows[0] if rows else (None, {})
    return there, status, set(steps.values()) == {"done"}


def _partly(there: list[str], status: str | None) -> Truth:
    """Return the truth on a meeting that is neither wholly there nor wholly gone."""
    times = 2 if len(there) > len(set(there)) else 0
    words = f"recorded as {status}, with {' and '.join(there) or 'nothing'} booked"
    return Truth(times, words, goes_on=status in ("planning", "cancelling"))


def _plan(found: Evidence) -> Truth:
    there, status, recorded = _meeting(found)
    if there == ["event", "room", "invitation"] and status == "planned" and recorded:
        return WHOLE
    return Truth() if not there and status in (None, "refused", "cancelled") else _partly(there, status)


def _cancel(found: Evidence) -> Truth:
    there, status, _ = _meeting(found)
    if not there and status == "cancelled":
        return WHOLE
    return Truth() if there == ["event", "room", "invitation"] and status == "planned" else _partly(there, status)


def _delete_met(found: Evidence) -> Truth:
    there, status, _ = _meeting(found)
    if not found.twin.rows("SELECT id FROM todo WHERE id = %s", found.todo_id):
        return Truth(half=f"deleted, with {' and '.join(there)} booked") if there else WHOLE
    if there == ["event", "room", "invitation"] and status == "planned":
        return NOTHING
    return _partly(there, status)


def _both(done: int, recorded: int, unrecorded: str, undone: str) -> Truth:
    """Return the truth on what must be done outside as often as it is recorded."""
    if done == recorded:
        return Truth(done)
    return Truth(max(done, recorded) if max(done, recorded) > 1 else 0, unrecorded if done > recorded else undone)


_FEATURES: dict[str, Callable[[Evidence], Truth]] = {
    "pay": _pay,
    "refund": _refund,
    "tell": _tell,
    **dict.fromkeys(REMINDS, _remind),
    "plan": _plan,
    "cancel": _cancel,
    "delete met": _delete_met,
}
