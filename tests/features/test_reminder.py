"""Remind me: one mail for each reminder, also when all was off when it was due; none for one that was changed."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from tests.support.browser import Browser
from tests.support.outside_world import OutsideWorldClient
from tests.support.running_twin import RunningTwin, new_key
from tests.support.user import new_name
from tests.support.waiting import until
from tests.support.web_beside import web_beside
from todo_shared.settings import DatabaseSettings
from todo_stack.stack import Stack
from todo_stack.twins import PLAIN

FAR = {"at": "2031-05-06T07:08:09.5+02:00"}

INVALID: list[dict[str, Any]] = [
    {},
    {"at": None},
    {**FAR, "in_seconds": 1},
    *({"in_seconds": value} for value in (-1, 1.5, "1", True, 10 * 365 * 86_400 + 1, 10**30)),
    *({"at": value} for value in (5, "", "tomorrow", "2031-05-06", "1924905600", "2031-05-06T07:08:09")),
    *({"at": value} for value in ("2031-13-06T07:08:09Z", "2031-02-30T07:08:09Z", "2031-05-06T25:08:09Z")),
    *({"at": value} for value in ("2020-05-06T07:08:09Z", "9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00+23:00")),
    *({"at": value} for value in ("2031-05-06T07:08:09+99:00", "2031-05-06T07:08Z", "\uff12031-05-06T07:08:09Z")),
]

WRITTEN = {
    ("2031-01-06T07:08", "Europe/Berlin"): "2031-01-06T06:08:00Z",
    ("2031-07-06T07:08:09", " Europe/Berlin"): "2031-07-06T05:08:09Z",
    ("2031-07-06T07:08", "UTC"): "2031-07-06T07:08:00Z",
    # When summer ends, half past two comes twice: the first of them.
    ("2031-10-26T02:30", "Europe/Berlin"): "2031-10-26T00:30:00Z",
}
NOT_WRITTEN = {
    # When summer begins, there is no half past two.
    ("2031-03-30T02:30", "Europe/Berlin"): "no such time",
    ("2031-01-06T07:08", "Mars/Olympus"): "time zone",
    ("2031-01-06T07:08", "../etc/passwd"): "time zone",
    ("2020-01-06T07:08", "UTC"): "past",
    ("soon", "UTC"): "date",
    ("", "UTC"): "either",
}


class Todo:
    """A todo that somebody is reminded of."""

    def __init__(self, twin: RunningTwin, world: OutsideWorldClient) -> None:
        """Add it."""
        self.twin, self.world = twin, world
        self.title = new_name("remembered")
        self.id: int = twin.add(self.title)["id"]

    def call(self, method: str, path: str = "/reminder", json: object = None, key: str = "") -> requests.Response:
        """Ask for something of it."""
        return self.twin.call(method, f"/{self.id}{path}", json=json, headers={"Idempotency-Key": key or new_key()})

    def remind(self, **when: object) -> dict[str, Any]:
        """Set the reminder."""
        answer = self.call("PUT", json=when)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def sent(self) -> dict[str, Any]:
        """Return the reminder when it was sent."""
        until(lambda: self.call("GET").json()["status"] == "sent", "it was sent")
        return dict(self.call("GET").json())

    def row(self) -> str:
        """Return the id of its reminder."""
        return str(self.twin.rows("SELECT id FROM reminder WHERE todo_id = %s", self.id)[0][0])

    def mailed(self) -> list[dict[str, Any]]:
        """Return the mails."""
        return self.world.effects_for(self.id, "mail")

    def asked(self) -> list[str]:
        """Return the keys of all that the mailbox was asked."""
        return [request["key"] for request in self.world.requests_for(self.id, "mail")]


@pytest.fixture
def todo(twin: RunningTwin, world: OutsideWorldClient) -> Todo:
    """A todo."""
    return Todo(twin, world)


def test_reminder(todo: Todo) -> None:
    """A reminder is set, changed and cancelled; what is not there is 404."""
    before = datetime.now(UTC)
    at = datetime.fromisoformat(todo.remind(in_seconds=3600)["at"])
    assert timedelta(0) <= at - before - timedelta(hours=1) < timedelta(seconds=10)
    assert todo.remind(**FAR) == {"at": "2031-05-06T05:08:09.500000Z", "status": "set", "sent_at": None}
    for body in INVALID:
        answer = todo.call("PUT", json=body)
        assert answer.status_code == 422, (body, answer.text)
    assert todo.call("GET").json()["at"] == "2031-05-06T05:08:09.500000Z"
    assert todo.call("DELETE").status_code == 204
    for method in ("GET", "DELETE"):
        assert todo.call(method).status_code == 404
        assert todo.twin.call(method, "/2147483647/reminder").status_code == 404
        assert todo.twin.call(method, "/99999999999/reminder").status_code == 404
    assert todo.twin.call("PUT", "/2147483647/reminder", json=FAR).status_code == 404


def test_mailed_once(todo: Todo) -> None:
    """Only the reminder that was set last is mailed, and it can be set anew; none of a todo that has lost its own."""
    cancelled, deleted = Todo(todo.twin, todo.world), Todo(todo.twin, todo.world)
    for each in (cancelled, deleted, todo):
        each.remind(in_seconds=1)
    assert cancelled.call("DELETE").status_code == deleted.call("DELETE", "").status_code == 204
    at = datetime.fromisoformat(todo.remind(in_seconds=1)["at"])
    key = todo.row()
    assert datetime.fromisoformat(todo.sent()["sent_at"]) >= at
    (mail,) = todo.mailed()
    assert mail["details"]["text"] == todo.title
    assert mail["details"]["to"] == "you@example.org"
    assert todo.remind(in_seconds=0)["status"] == "set"
    todo.sent()
    assert len(todo.mailed()) == 2
    assert todo.asked() == [key, todo.row()]
    assert cancelled.asked() == deleted.asked() == []
    assert todo.call("DELETE").status_code == 204
    assert todo.call("DELETE").status_code == 404


def test_mailbox_fails_for_a_moment(todo: Todo) -> None:
    """It is asked again with the same key, and mails once."""
    modes = ("error", "busy", "drop")
    todos = [todo, *(Todo(todo.twin, todo.world) for _ in modes[1:])]
    with ExitStack() as told:
        for each, mode in zip(todos, modes, strict=True):
            told.enter_context(todo.world.told_for(each.id, "mail", mode, count=1))
            each.remind(in_seconds=0)
        for each in todos:
            each.sent()
    for each in todos:
        assert each.asked() == [each.row()] * 2
        assert len(each.mailed()) == 1


def test_cancelled_while_the_mailbox_fails(todo: Todo) -> None:
    """A reminder that could not be mailed yet can be cancelled or changed, and then it never is; others are mailed."""
    other, third = Todo(todo.twin, todo.world), Todo(todo.twin, todo.world)
    with todo.world.told_for(todo.id, "mail", "error"), other.world.told_for(other.id, "mail", "reject"):
        for each in (todo, other, third):
            each.remind(in_seconds=0)
        for each in (todo, other):
            until(each.asked, "it was tried")
        third.sent()
        assert todo.call("DELETE").status_code == 204
        late = other.remind(**FAR)
    third.remind(in_seconds=1)
    third.sent()
    assert todo.mailed() == other.mailed() == []
    assert other.call("GET").json() == late


def test_process_dies_while_it_is_mailed(todo: Todo) -> None:
    """It is asked again with the same key, so there is one mail, and it is on record."""
    with todo.world.told_for(todo.id, "mail", "slow", seconds_each=0.5, count=1):
        todo.remind(in_seconds=0)
        until(todo.asked, "it is being mailed")
        todo.twin.writer.kill()
        until(todo.mailed, "it is mailed")
        todo.twin.writer.start()
    todo.sent()
    assert todo.asked() == [todo.row()] * 2
    assert len(todo.mailed()) == 1


def test_mailbox_that_lets_wait(durable: RunningTwin) -> None:
    """More mails than there are connections wait for the mailbox: half may at a time, and other writes go on."""
    world = OutsideWorldClient(durable.stack.outside_world_url(durable.which), durable.which.key)
    connections = DatabaseSettings.model_fields["db_pool_size"].default
    todo, *others = (Todo(durable, world) for _ in range(connections + 2))

    def asked() -> int:
        return sum(len(each.asked()) for each in others)

    with ExitStack() as told, ThreadPoolExecutor(len(others)) as pool:
        for each in others:
            told.enter_context(world.told_for(each.id, "mail", "slow", seconds_each=4, count=1))
        list(pool.map(lambda each: each.remind(in_seconds=0), others))
        until(lambda: asked() == connections // 2, "half of the connections wait for the mailbox")
        assert todo.call("PUT", "/bounty", {"amount": 1, "currency": "EUR"}).status_code == 200
        assert todo.call("POST", "/bounty/payment").status_code == 201
        assert asked() == connections // 2
    for each in others:
        each.sent()
        assert each.asked() == [each.row()]


def test_several_processes(native_stack: Stack) -> None:
    """Each of many that are due at once is mailed by one of the processes of the plain twin that look for them."""
    plain = RunningTwin(PLAIN, native_stack)
    world = OutsideWorldClient(native_stack.outside_world_url(PLAIN), PLAIN.key)
    todos = [Todo(plain, world) for _ in range(10)]
    with web_beside(plain, {}), ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda each: each.remind(in_seconds=0), todos))
        for each in todos:
            each.sent()
    assert all(each.asked() == [each.row()] for each in todos)


def test_page(todo: Todo, browser: Browser) -> None:
    """Everything can be done by forms, in a zone that is named; what is not accepted comes back as it was typed."""
    page = f"/todos/{todo.id}"

    def submit(**fields: str) -> requests.Response:
        return browser.submit(browser.form(f"{page}/reminder$", browser.get(page)), **fields)

    for (at, zone), moment in WRITTEN.items():
        assert submit(at=at, zone=zone).headers["location"] == page
        assert todo.call("GET").json()["at"] == moment
    (section,) = browser.texts("#reminder", browser.get(page))
    assert "2031-10-26 02:30:00 Europe/Berlin" in section
    for (at, zone), reason in NOT_WRITTEN.items():
        refused = submit(at=at, zone=zone)
        assert refused.status_code == 400
        assert reason in browser.texts("[role=alert]", refused)[0]
        again = browser.form(f"{page}/reminder$", refused).fields
        assert (again["at"], again["zone"]) == (at, zone)
    for minutes in ("-1", "x", "1.5", "9" * 9, "9" * 30):
        assert submit(minutes=minutes).status_code == 400
    assert submit(minutes="1", at="2031-01-06T07:08").status_code == 400
    assert submit(minutes=" 0 ").status_code == 302
    todo.sent()
    assert "Sent at" in browser.texts("#reminder", browser.get(page))[0]
    assert browser.submit(browser.form(f"{page}/reminder/delete", browser.get(page))).status_code == 302
    assert todo.call("GET").status_code == 404
