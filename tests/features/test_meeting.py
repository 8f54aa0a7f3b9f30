"""Meetings: planned as a whole or not at all; the twins differ in what a crash and a receiver that is down leave."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from tests.support import restate_admin
from tests.support.browser import Browser
from tests.support.outside_world import OutsideWorldClient
from tests.support.running_twin import RunningTwin, new_key
from tests.support.user import new_name
from tests.support.waiting import until

STEPS = ("calendar", "room", "mark", "invite")
RECEIVERS = {"calendar": "calendar", "room": "rooms", "invite": "mail"}
NOW = datetime.now(UTC)
PLAN = {"start": "2030-01-31T09:00:00+01:00", "minutes": 30, "invite": "ann@example.org"}
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


class Todo:
    """A todo, with a room of its own for its meetings."""

    def __init__(self, twin: RunningTwin, world: OutsideWorldClient) -> None:
        """Add it."""
        self.twin, self.world = twin, world
        self.id: int = twin.add(new_name("met"))["id"]
        self.plan: dict[str, Any] = {**PLAN, "room": f"room {self.id} {twin.which.key}"}

    def call(self, method: str, path: str = "/meeting", json: object = None, key: str = "") -> requests.Response:
        """Ask for something of it."""
        return self.twin.call(method, f"/{self.id}{path}", json=json, headers={"Idempotency-Key": key or new_key()})

    def meet(self, key: str = "", **changes: object) -> requests.Response:
        """Plan a meeting."""
        return self.call("POST", json={**self.plan, **changes}, key=key)

    def cancel(self) -> None:
        """Cancel it, now or soon."""
        answer = self.call("DELETE")
        assert answer.status_code in ((202, 204) if self.twin.which.durable else (204,)), answer.text

    def meeting(self) -> dict[str, Any]:
        """Return its meeting."""
        shown: dict[str, Any] = self.call("GET").json()
        return shown

    def steps(self) -> str:
        """Return the state of its meeting and of the steps, in their order."""
        meeting = self.meeting()
        return " ".join([meeting["status"], *(meeting["steps"][step] for step in STEPS)])

    def becomes(self, steps: str) -> None:
        """Wait for this."""
        until(lambda: self.steps() == steps, steps)

    def effects(self) -> dict[str, list[str]]:
        """Return what others did, and whether they asked or told."""
        found = {step: self.world.effects_for(self.id, receiver) for step, receiver in RECEIVERS.items()}
        mails = [effect["details"]["subject"].partition(":")[0] for effect in found.pop("invite")]
        return {step: [effect["what"] for effect in effects] for step, effects in found.items()} | {"invite": mails}

    def booked(self) -> list[str]:
        """Return what is booked and not cancelled."""
        done = self.effects()
        return [step for step in ("calendar", "room") if done[step].count("booked") > done[step].count("cancelled")]

    def answers(self, step: str, method: str) -> list[int | None]:
        """Return what those who asked for a step were answered."""
        asked = self.world.requests_for(self.id, RECEIVERS[step])
        return [request["status"] for request in asked if request["method"] == method]

    def asked(self, step: str) -> bool:
        """Return whether somebody was asked for this step."""
        return bool(self.world.requests_for(self.id, RECEIVERS[step]))

    @property
    def admin_url(self) -> str:
        """Where its operator gives orders."""
        return self.twin.stack.ports.admin_url

    def calls(self) -> dict[str, str]:
        """Return the ids of the calls that are not finished, by the names of their handlers."""
        return {call["target"].rpartition("/")[2]: call["id"] for call in self.twin.unfinished()}

    def order(self, call: str, verb: str) -> None:
        """Do this to a call, as an operator."""
        restate_admin.order(self.admin_url, call, verb)

    def state(self, call: str) -> str:
        """Return how Restate calls the state that a call is in; nothing if it knows none."""
        return str(restate_admin.invocation(self.admin_url, call).get("status", ""))

    def told(self, step: str, mode: str, **order: object) -> AbstractContextManager[None]:
        """Let who is asked for a step behave so."""
        return self.world.told_for(self.id, RECEIVERS[step], mode, **order)


PLANNED = {"calendar": ["booked"], "room": ["booked"], "invite": ["Invitation"]}
STOPS: dict[str, dict[str, Any]] = {
    "calendar": {"mode": "error"},
    "room": {"mode": "busy", "retry_after": 3600},
    "invite": {"mode": "error"},
}
CANCELLED = {name: ["booked", "cancelled"] for name in ("calendar", "room")} | {"invite": ["Invitation", "Cancelled"]}


@pytest.fixture
def todo(twin: RunningTwin, world: OutsideWorldClient) -> Todo:
    """A todo."""
    return Todo(twin, world)


@pytest.fixture
def durable_todo(durable: RunningTwin) -> Todo:
    """A todo of the Restate twin."""
    return Todo(durable, OutsideWorldClient(durable.stack.ports.outside_world_url, durable.which.key))


def test_plan_and_cancel(todo: Todo) -> None:
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
    assert todo.effects() == CANCELLED
    assert todo.call("DELETE").status_code == 409
    assert todo.meet(minutes=1440).status_code == 201
    assert todo.meeting()["id"] != answer.json()["id"]
    assert todo.twin.call("POST", "/2147483647/meeting", json=todo.plan).status_code == 404


def test_what_is_no_meeting(todo: Todo) -> None:
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


def test_room_is_refused(todo: Todo) -> None:
    """When the room is taken, the event is undone, and the user is told why; another room can be tried."""
    other = Todo(todo.twin, todo.world)
    assert other.meet(room=todo.plan["room"]).status_code == 201
    answer = todo.meet()
    assert answer.status_code == 409
    assert "booked already" in answer.json()["detail"]
    assert todo.meeting()["reason"] == answer.json()["detail"]
    assert todo.steps() == "refused undone undone open open"
    assert todo.effects() == {"calendar": ["booked", "cancelled"], "room": ["barred"], "invite": []}
    assert todo.meet(room=f"{todo.plan['room']} b").status_code == 201


@pytest.mark.parametrize("form_again", [True, False])
def test_two_at_once(todo: Todo, form_again: bool) -> None:
    """Two browsers plan at once: one meeting. The same form twice joins the first, where writes are durable."""
    keys = [new_key()] * 2 if form_again else [new_key(), new_key()]
    with todo.world.told_for(todo.id, "calendar", "slow", seconds_each=0.3), ThreadPoolExecutor(2) as pool:
        statuses = sorted(pool.map(lambda key: todo.meet(key).status_code, keys))
    assert statuses == ([201, 201] if form_again and todo.twin.which.durable else [201, 409])
    assert todo.effects() == PLANNED


@pytest.mark.parametrize("step", RECEIVERS)
def test_answer_is_lost(todo: Todo, step: str) -> None:
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


@pytest.mark.parametrize(("step", "order"), STOPS.items())
def test_cancelled_while_a_step_fails(durable_todo: Todo, step: str, order: dict[str, Any]) -> None:
    """A step that is repeated without end does not keep its user from cancelling at once; who planned is told."""
    todo = durable_todo
    method = "POST" if step == "invite" else "PUT"
    with todo.told(step, **order, method=method), ThreadPoolExecutor(1) as pool:
        planning = pool.submit(todo.meet)
        until(lambda: todo.asked(step), "it is asked")
        todo.cancel()
        assert (planning.result().status_code, planning.result().json()["detail"]) == (
            409,
            "The meeting was cancelled.",
        )
        assert todo.meeting()["status"] == "cancelled"
    assert todo.twin.settle() == []
    assert todo.booked() == []


def test_cancelled_while_a_step_runs(todo: Todo) -> None:
    """What is still on its way when all is undone finds its id barred."""
    with todo.told("room", "slow", method="PUT", seconds_each=0.5), ThreadPoolExecutor(1) as pool:
        planning = pool.submit(todo.meet)
        until(lambda: todo.asked("room"), "the room is asked")
        todo.cancel()
        assert todo.effects() == {"calendar": ["booked", "cancelled"], "room": ["barred"], "invite": []}
        assert planning.result().status_code == 409
        until(lambda: todo.answers("room", "PUT") == [409], "the room is refused")
    assert todo.twin.settle() == []
    assert todo.steps() == "cancelled undone undone open open"
    assert todo.booked() == []


@pytest.mark.parametrize("undoing", [False, True])
def test_process_dies(todo: Todo, undoing: bool) -> None:
    """The process is killed while it plans or undoes: the plain meeting is stuck until its user cancels it."""
    step, method = ("calendar", "DELETE") if undoing else ("room", "PUT")
    if undoing:
        assert Todo(todo.twin, todo.world).meet(room=todo.plan["room"]).status_code == 201
    key = new_key()
    with todo.told(step, "slow", method=method, seconds_each=0.7), ThreadPoolExecutor(1) as pool:
        planning = pool.submit(todo.meet, key)
        until(lambda: todo.answers(step, method), "it is asked")
        todo.twin.writer.kill()
        until(lambda: todo.answers(step, method) != [None], "it is done")
        todo.twin.writer.start()
        assert isinstance(planning.exception(), requests.RequestException | None)
    if todo.twin.which.durable:
        assert todo.twin.settle() == []
        assert todo.meeting()["status"] == ("refused" if undoing else "planned")
        assert todo.meet(key).status_code == (409 if undoing else 201)
        assert todo.effects()["invite"] == ([] if undoing else ["Invitation"])
    else:
        assert todo.meeting()["status"] == "planning"
        assert todo.meet(key).status_code == 409
        todo.cancel()
    assert todo.booked() == (["calendar", "room"] if todo.twin.which.durable and not undoing else [])


def test_not_reached(todo: Todo) -> None:
    """Who answers 500 for now: the durable meeting is planned later; the plain one is refused, and nothing is left."""
    with todo.told("room", "error", count=3):
        answer = todo.meet()
    if todo.twin.which.durable:
        assert (answer.status_code, todo.effects()) == (201, PLANNED)
        return
    # The room fails on undoing, too. Its user may cancel once more, when it does not.
    assert (answer.status_code, todo.steps()) == (503, "cancelling undone open open open")


OPERATOR = {
    "run: cancel": "refused",
    "run: cancel cancel": "refused",
    "plan_meeting: cancel": "refused",
    "run: pause resume": "planned",
    "run: pause cancel": "refused",
    "run: kill": "planning",
}


@pytest.mark.parametrize(("orders", "status"), OPERATOR.items())
@pytest.mark.parametrize("order", [{"mode": "slow", "seconds_each": 0.3}, {"mode": "error"}], ids=str)
def test_operator(durable_todo: Todo, orders: str, status: str, order: dict[str, Any]) -> None:
    """What an operator does while the room is booked, or fails, leaves nothing behind; only what is killed does."""
    todo = durable_todo
    handler, verbs = orders.split(": ")
    with ThreadPoolExecutor(1) as pool:
        with todo.told("room", **order):
            planning = pool.submit(todo.meet)
            until(lambda: todo.asked("room"), "the room is asked")
            call = todo.calls()[handler]
            for number, verb in enumerate(verbs.split()):
                if number and verb == "cancel" and "pause" not in verbs:
                    until(lambda: todo.answers("room", "DELETE"), "it is being undone")
                todo.order(call, verb)
                if verb == "pause":
                    until(lambda: todo.state(call) == "paused", "it is paused")
        assert planning.result().status_code == {"refused": 409, "planned": 201, "planning": 503}[status]
    assert todo.twin.settle() == []
    assert todo.meeting()["status"] == status
    if verbs == "kill":
        assert "calendar" in todo.booked()
        # Its user can still cancel it.
        todo.cancel()
    assert todo.booked() == (["calendar", "room"] if status == "planned" else [])


def test_operator_while_it_is_cancelled(durable_todo: Todo) -> None:
    """What is being undone is undone to its end, whatever an operator cancels."""
    todo = durable_todo
    assert todo.meet().status_code == 201
    with todo.told("room", "slow", seconds_each=0.3), ThreadPoolExecutor(1) as pool:
        cancelling = pool.submit(todo.cancel)
        until(lambda: todo.answers("room", "DELETE"), "it is being undone")
        for handler in ("cancel_meeting", "cancel"):
            todo.order(todo.calls()[handler], "cancel")
        cancelling.result()
    assert todo.twin.settle() == []
    assert todo.steps() == "cancelled undone undone undone undone"
    assert todo.effects() == CANCELLED


def test_repeated_after_it_is_forgotten(durable_todo: Todo) -> None:
    """A form that is submitted again after Restate has forgotten its call gets the meeting of the first time."""
    todo, key = durable_todo, new_key()
    first = todo.meet(key)
    calls = restate_admin.query(todo.admin_url, "SELECT id, idempotency_key FROM sys_invocation")
    (call,) = [call["id"] for call in calls if call.get("idempotency_key", "").startswith(key)]
    todo.order(call, "purge")
    until(lambda: not todo.state(call), "it is forgotten")
    again = todo.meet(key)
    assert (again.status_code, again.json()) == (201, first.json())
    assert todo.effects() == PLANNED


@pytest.mark.parametrize("planned", [True, False])
def test_todo_is_deleted(todo: Todo, planned: bool) -> None:
    """What a todo's meeting has booked is undone with it, also while that is planned; the plain twin must reach all."""
    with ThreadPoolExecutor(1) as pool, todo.told("room", "slow", method="PUT", seconds_each=0.5):
        planning = pool.submit(todo.meet)
        until(lambda: todo.asked("room"), "the room is asked")
        if planned:
            assert planning.result().status_code == 201
        if not todo.twin.which.durable:
            with todo.told("calendar", "error", method="DELETE"):
                assert todo.call("DELETE", "").status_code == 503
                assert todo.call("GET", "").status_code == 200
        assert todo.call("DELETE", "").status_code == 204
        assert planning.result().status_code == (201 if planned else 409)
    assert todo.twin.settle() == []
    assert todo.booked() == []
    assert todo.effects()["invite"] == (["Invitation", "Cancelled"] if planned else [])
    assert todo.call("GET").status_code == 404


def test_page(todo: Todo, browser: Browser) -> None:
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
    assert "2030-07-31T07:00:00Z, 45 minutes" in " ".join(section.split())
    assert submit("meeting/delete").status_code == 302
    assert submit("meeting", **fields).status_code == 302
    assert browser.submit(browser.form(f"^/delete/{todo.id}$")).status_code == 302
    assert todo.twin.settle() == []
    assert todo.booked() == []
