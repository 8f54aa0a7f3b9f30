"""Why something is still pending, in plain words: also where others or a bug keep it from going on."""

import re
from typing import Any

import pytest
import requests
from flask import Flask

from flask_restate.errors import translate
from flask_todo_restate.calls import Call, plain
from flask_todo_restate.pending import MANY, Pending
from tests.features.meetings import MetTodo
from tests.suite.test_pending import PENDING
from tests.support.browser import Browser
from tests.support.outside_world import OutsideWorldClient
from tests.support.running_twin import RunningTwin
from tests.support.waiting import until
from todo_shared.outages import Outage
from todo_shared.way import Hop

LISTED = {"id": "inv_listed", "target_handler_name": "add_todo", "total": 1, "status": "running"}
LISTED |= {"created_at": "2026-01-01T00:00:00Z"}
KEPT = "sys_invocation_status"
"""Restate's table of all that it keeps."""

MAX_BODY_BYTES = 16 * 1024
"""What flask-todo-restate/query.conf allows."""


def test_others_keep_it_from_going_on(durable: RunningTwin, mine: Browser) -> None:
    """A meeting whose steps fail says why, though its call only waits for them; to be asked to wait is no bug."""
    world = OutsideWorldClient(durable.world.url, durable.which.key)
    met, paid = MetTodo(durable, world), MetTodo(durable, world)
    paid.call("PUT", "/bounty", json={"amount": 100, "currency": "EUR"}).raise_for_status()

    def tells(todo: MetTodo, reason: str) -> None:
        line = re.compile(rf"since .*, tried (once|\d+ times): {reason}\.")
        page = f"/todos/{todo.id}"
        until(lambda: any(map(line.search, mine.texts(f"{PENDING} .why", mine.get(page)))), reason)

    with met.told("calendar", "error"), world.told_for(paid.id, "payments", "busy", retry_after=1):
        assert met.meet().status_code == paid.call("POST", "/bounty/payment").status_code == 202
        tells(met, "another server does not answer as it should")
        tells(paid, "another server asks us to wait")
    assert durable.settle() == []
    with met.told("calendar", "error"):
        assert met.call("DELETE").status_code == 202
        tells(met, "another server does not answer as it should")
    assert durable.settle() == []
    paid.call("POST", "/bounty/refund").raise_for_status()


def test_a_bug_is_told_without_its_place() -> None:
    """What is unforeseen is told with its message; where it is in the source is for the log."""
    try:
        int("no number")
    except ValueError as error:
        fault = str(translate(error))
    assert __file__ in fault
    row = {"status": "backing-off", "last_failure": f"[500 Internal] {fault}\nTraceback"}
    assert plain(row) == "something unforeseen: ValueError: invalid literal for int() with base 10: 'no number'"


@pytest.mark.parametrize(("attempts", "words"), [(0, "not yet tried"), (1, "tried once"), (2, "tried 2 times")])
def test_attempts_in_words(attempts: int, words: str) -> None:
    """What waits for another call of the same todo was not tried."""
    assert Call("inv_1", "pay", attempts=attempts).tried == words


def test_many_are_asked_for_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many messages are missing, each question is as short as the way to Restate's tables allows."""
    ids, bodies = [f"inv_{number:034}" for number in range(400)], list[str]()

    def post(_: requests.Session, url: str, *, json: dict[str, str], **more: object) -> requests.Response:
        del url, more
        bodies.append(json["query"])
        answer = requests.Response()
        answer.status_code, answer._content = 200, b'{"rows": []}'
        return answer

    monkeypatch.setattr(requests.Session, "post", post)
    monkeypatch.setattr("flask_todo_restate.background.INTERVAL_SECONDS", 0)
    pending = Pending(Flask(__name__), "http://127.0.0.1:1", lambda: None)
    pending.look(ids)
    until(lambda: pending.look() and all(any(each in body for body in bodies) for each in ids), "all are asked for")
    assert max(map(len, bodies)) < MAX_BODY_BYTES


class Asked(Pending):
    """Notes its questions, which take time, and answers them: something runs, waits, and was done."""

    def __init__(self) -> None:
        super().__init__(Flask(__name__), "http://127.0.0.1:1", lambda: None)
        self.now, self.takes, self.running, self.error = 1000.0, 0.0, 1, requests.ConnectionError()
        self.through, self.named = 0, [""]

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Answer."""
        assert len(sql) < MAX_BODY_BYTES
        if "WITH" in sql:
            self.named.append(re.findall(r"WHERE .* AND (TRUE|id IN \(.*\))", sql)[0])
            return [{**LISTED}]
        if "sys_journal" in sql:
            return []
        running = [{"id": f"inv_{number:038}", "runs": True} for number in range(self.running)]
        if KEPT not in sql:
            return running
        self.through += 1
        self.now += self.takes
        if self.takes > 1:
            raise self.error
        return [*running, {"id": "inv_waits", "runs": False}, {"id": "done", "runs": False}]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What is pending, with a clock of its own."""
    pending = Asked()
    monkeypatch.setattr("flask_todo_restate.pending.time.monotonic", lambda: pending.now)
    return pending


@pytest.mark.parametrize(("takes", "seconds", "expected"), [(0.01, 1, 10), (0.1, 1, 2), (2, 10, 1)])
def test_what_is_kept_is_looked_through_rarely(asked: Asked, takes: float, seconds: float, expected: int) -> None:
    """What runs is asked for each time; all that Restate keeps only now and then, if that takes long, or too long."""
    asked.takes = takes
    for _ in range(10):
        asked._ask()
        asked.now += seconds
    assert (asked.through, len(asked.named)) == (expected, 11)


def test_what_waits_is_still_asked_for(asked: Asked) -> None:
    """What was found to wait, and what was listed, is asked for until it ends; "it works" is told for a while."""
    asked.takes = 1
    assert asked._ask().service_works
    asked.running = 0
    asked.now += 9
    assert asked._ask().service_works
    assert [name in asked.named[-1] for name in ("inv_waits", "inv_listed", "inv_0", "done")] == [
        True,
        True,
        False,
        False,
    ]
    asked.now += 2
    assert asked._ask().service_works is None
    assert asked.through == 1


def test_many_that_wait(asked: Asked) -> None:
    """Where they are too many to be named they are looked for, rarely, and what was found is told meanwhile."""
    asked.running = MANY - 2
    asked._ask()
    assert asked.named[-1].count("inv_") == MANY - 1
    asked.running = MANY
    assert [asked._ask().total, asked.named[-1]] == [asked._ask().total, "TRUE"]


def test_what_was_never_used_is_not_known() -> None:
    """A new process does not say that something works, or fails, before it has tried."""
    outage = Outage("it")
    assert Hop("it", works=outage.works).state == "unknown"
    outage.ended()
    assert Hop("it", works=outage.works).state == "works"
