"""Meetings: planned as a whole or not at all; the twins differ in what a crash and a receiver that is down leave."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from tests.features.meetings import CANCELLED, PLANNED, RECEIVERS, MetTodo
from tests.support.browser import Browser
from tests.support.outside_world import OutsideWorldClient
from tests.support.running_twin import RunningTwin, new_key
from tests.support.table_lock import todo_locked, waiting_for_locks
from tests.support.waiting import until

NOW = datetime.now(UTC)
REFUSED: dict[str, list[Any]] = {
    "start": [None, 5, "", "2030-01-31", "2030-01-31T09:00:00", "2020-01-31T09:00:00Z", "2030-02-30T09:00:00Z"],
    "minutes": [None, 0, -1, 1441, 2**40, 1.5, "30", True],
    "room": [None, "", " ", "\u200b", "a\nb", "a\x00b", "a/b", "..", "x" * 101, 5],
    "invite": [None, "", "ann", "ann@", "@example.org", "a b@example.org", "a@b@example.org", "ann@example..org"],
}
REFUSED["start"] += [(NOW + timedelta(days=days)).isoformat() for days in (3700, -0.001)] + [
    "9999-12-31T23:59:59-23:59"
]
REFUSED["invite"] += ["ann@example.org\n", "ann@ex\u00e4mple.org", f"ann@{'x.' * 100}org", "Ann <ann@example.org>"]
ODD_ROOMS = ["Ä 1%2F?#&=+", "x" * 100, "日本", "a..b"]


@pytest.fixture
def todo(twin: RunningTwin, world: OutsideWorldClient) -> MetTodo:
    """A todo."""
    return MetTodo(twin, world)


def test_plan_and_cancel(todo: MetTodo) -> None:
    """A meeting is planned once, shown, and undone; then there can be another one."""
    assert todo.call("GET").status_code == todo.call("DELETE").status_code == 404
    answer = todo.meet()
    assert answer.status_code == 201, answer.text
    assert todo.twin.call("GET", answer.headers["location"]).json() == answer.json() == todo.meeting()
    assert (todo.meeting()["start"], todo.steps()) == ("2030-01-31T08:00:00Z", "planned done done done done")
    assert todo.effects() == PLANNED
    assert "planned already" in todo.meet().json()["detail"]
    todo.cancel()
    todo.becomes("cancelled undone undone undone undone")
    todo.is_cancelled()
    assert todo.call("DELETE").status_code == 409
    assert todo.meet(minutes=1440).status_code == 201
    assert todo.meeting()["id"] != answer.json()["id"]
    assert todo.twin.call("POST", "/2147483647/meeting", json=todo.plan).status_code == 404


def test_what_is_no_meeting(todo: MetTodo) -> None:
    """What is none is refused, in JSON, and nobody is asked; names of rooms may be odd."""
    for name, values in REFUSED.items():
        for value in values:
            assert todo.meet(**{name: value}).status_code == 422, (name, value)
        assert todo.call("POST", json={k: v for k, v in todo.plan.items() if k != name}).status_code == 422
    assert todo.call("GET").status_code == 404
    for room in ODD_ROOMS:
        start = NOW + timedelta(days=1, minutes=todo.id)
        assert todo.meet(room=room, start=start.isoformat(), minutes=1).status_code == 201, room
        assert todo.meeting()["room"] == room
        todo.cancel()
    assert len(todo.effects()["room"]) == 2 * len(ODD_ROOMS)


@pytest.mark.parametrize("form_again", [True, False])
def test_two_at_once(todo: MetTodo, form_again: bool) -> None:
    """Two browsers plan at once: one meeting. The same form twice joins the first, where writes are durable."""
    keys = [new_key()] * 2 if form_again else [new_key(), new_key()]
    with todo.world.told_for(todo.id, "calendar", "slow", seconds_each=0.3), ThreadPoolExecutor(2) as pool:
        statuses = sorted(pool.map(lambda key: todo.meet(key).status_code, keys))
    assert statuses == ([201, 201] if form_again and todo.twin.which.durable else [201, 409])
    assert todo.effects() == PLANNED


def test_cancelled_twice_at_once(todo: MetTodo) -> None:
    """Two cancel at once, and the first cannot undo all of it: the second does, and it is cancelled, not refused."""
    assert todo.meet().status_code == 201
    with (
        todo.told("invite", "error", count=1),
        todo.told("room", "slow", method="DELETE", seconds_each=0.5),
        ThreadPoolExecutor(1) as pool,
    ):
        first = pool.submit(todo.call, "DELETE")
        until(lambda: todo.answers("room", "DELETE"), "the first is asking")
        todo.cancel()
        assert first.result().status_code in ((202, 204) if todo.twin.which.durable else (503,))
    todo.becomes("cancelled undone undone undone undone")
    todo.is_cancelled()


@pytest.mark.parametrize("step", RECEIVERS)
def test_answer_is_lost(todo: MetTodo, step: str) -> None:
    """What was done and not answered: the durable twin asks again; the plain one undoes all, and says so."""
    with todo.world.told_for(todo.id, RECEIVERS[step], "drop", count=1):
        answer = todo.meet()
    if todo.twin.which.durable:
        assert answer.status_code == 201
        assert todo.effects() == PLANNED
        return
    assert answer.status_code == 503
    assert todo.meeting()["reason"] in answer.json()["detail"]
    assert todo.meeting()["status"] == "refused"
    begun = list(RECEIVERS)[: list(RECEIVERS).index(step) + 1]
    assert todo.effects() == {name: CANCELLED[name] if name in begun else [] for name in RECEIVERS}


def test_process_dies(todo: MetTodo) -> None:
    """The process is killed while it plans: the plain meeting is stuck until its user cancels it."""
    key = new_key()
    with todo.told("room", "slow", method="PUT", seconds_each=0.4), ThreadPoolExecutor(1) as pool:
        planning = pool.submit(todo.meet, key)
        until(lambda: todo.answers("room", "PUT"), "it is asked")
        todo.twin.writer.kill()
        until(lambda: todo.answers("room", "PUT") != [None], "it is done")
        todo.twin.writer.start()
        assert isinstance(planning.exception(), requests.RequestException | None)
    if todo.twin.which.durable:
        assert todo.twin.settle() == []
        assert todo.meet(key).status_code == 201
        assert todo.effects() == PLANNED
    else:
        assert todo.meeting()["status"] == "planning"
        assert todo.meet(key).status_code == 409
        todo.cancel()
        assert todo.booked() == []


def test_room_fails_for_now(todo: MetTodo) -> None:
    """The durable meeting is planned a moment later; the plain twin undoes what it can, and says what it cannot."""
    with todo.told("room", "error", count=3):
        answer = todo.meet()
    if todo.twin.which.durable:
        assert (answer.status_code, todo.effects()) == (201, PLANNED)
        return
    assert (answer.status_code, todo.steps()) == (503, "cancelling undone open open open")
    assert "Not undone: room" in todo.meeting()["reason"]
    todo.cancel()
    assert todo.steps() == "cancelled undone undone open open"
    assert todo.booked() == []


@pytest.mark.parametrize("how", ["planning", "planned", "planned, all"])
def test_todo_is_deleted(todo: MetTodo, how: str) -> None:
    """What a todo's meeting has booked is undone with it, also while that is planned; the plain twin must reach all."""
    planned = how != "planning"
    with ThreadPoolExecutor(1) as pool, todo.told("room", "slow", method="PUT", seconds_each=0.3):
        planning = pool.submit(todo.meet)
        until(lambda: todo.asked("room"), "the room is asked")
        if planned:
            assert planning.result().status_code == 201
        if not todo.twin.which.durable:
            with todo.told("calendar", "error", method="DELETE"):
                assert todo.call("DELETE", "").status_code == 503
                assert todo.call("GET", "").status_code == 200
        assert (todo.twin.call("DELETE") if "all" in how else todo.call("DELETE", "")).status_code in (200, 204)
        assert planning.result().status_code == (201 if planned else 409)
    assert todo.twin.settle() == []
    assert todo.booked() == []
    assert todo.effects()["invite"] == (["Invitation", "Cancelled"] if planned else [])
    assert todo.call("GET").status_code == 404


def test_planned_while_its_deletion_waits(todo: MetTodo) -> None:
    """A deletion that waits for somebody else's transaction undoes what was planned meanwhile: the invited are told."""
    with ThreadPoolExecutor(2) as pool, todo.told("room", "slow", method="PUT", seconds_each=0.7):
        planning = pool.submit(todo.meet)
        until(lambda: todo.asked("room"), "the room is asked")
        with waiting_deletion(todo, f"/{todo.id}", pool) as deleting:
            assert todo.steps() == "planning done open open open"
            assert planning.result().status_code == 201
    assert deleting.result().status_code == 204
    assert todo.twin.settle() == []
    todo.is_cancelled()


def test_planned_while_all_are_deleted(todo: MetTodo) -> None:
    """So does a deletion of all that waits for another todo."""
    met = MetTodo(todo.twin, todo.world)
    with ThreadPoolExecutor(1) as pool, waiting_deletion(todo, "", pool) as deleting:
        assert met.meet().status_code == 201
    assert deleting.result().ok
    assert todo.twin.settle() == []
    met.is_cancelled()
    assert met.call("GET", "").status_code == 404


@contextlib.contextmanager
def waiting_deletion(todo: MetTodo, path: str, pool: ThreadPoolExecutor) -> Iterator["Future[requests.Response]"]:
    """Delete a todo, or all, while another transaction has locked it."""
    database_url = todo.twin.stack.database_url(todo.twin.which)
    with todo_locked(database_url, todo.id):
        deleting = pool.submit(todo.twin.call, "DELETE", path)
        until(lambda: waiting_for_locks(database_url), "the deletion waits")
        yield deleting


def test_page(todo: MetTodo, browser: Browser) -> None:
    """Everything can be done by forms; what is not accepted comes back as it was typed."""
    page, typed = f"/todos/{todo.id}", {"zone": "Europe/Berlin", "minutes": "45", "room": todo.plan["room"]}

    def submit(path: str, **fields: str) -> requests.Response:
        return browser.submit(browser.form(f"{page}/{path}$", browser.get(page)), **fields)

    for wrong in [{"start": "2030-03-31T02:30"}, {"zone": "Mars"}, {"minutes": "x"}, {"room": ""}, {"invite": "ann"}]:
        fields = {**typed, "start": "2030-07-31T09:00", "invite": "ann@example.org", **wrong}
        refused = submit("meeting", **fields)
        assert refused.status_code == 400
        assert browser.texts("[role=alert]", refused)
        again = browser.form(f"{page}/meeting$", refused).fields
        assert {name: again[name] for name in fields} == fields
    fields.update(invite="ann@example.org")
    with todo.told("room", "reject", method="PUT"):
        refused = submit("meeting", **fields)
    assert refused.status_code == 409
    assert "told to refuse" in browser.texts("[role=alert]", refused)[0]
    assert submit("meeting", **fields).headers["location"] == page
    assert todo.meeting()["start"] == "2030-07-31T07:00:00Z"
    (section,) = browser.texts("#meeting", browser.get(page))
    assert "planned" in section
    assert "2030-07-31 09:00:00 Europe/Berlin, 45 minutes" in " ".join(section.split())
    assert submit("meeting/delete").status_code == 302
    assert submit("meeting", **fields).status_code == 302
    assert browser.submit(browser.form(f"^/delete/{todo.id}$")).status_code == 302
    assert todo.twin.settle() == []
    assert todo.booked() == []
