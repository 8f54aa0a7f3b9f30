"""The twins are twins: one face, and a difference that is only about durability."""

import os
import signal

import pytest
import requests
from flask import Flask

from tests.support.applications import make_both
from tests.support.browser import Browser
from tests.support.running_twin import RunningTwin
from tests.support.user import new_name
from tests.support.waiting import until
from todo_stack.stack import Stack
from todo_stack.twins import PLAIN, RESTATE


def routes(app: Flask) -> set[tuple[str, str, frozenset[str]]]:
    """Return the route table of an application."""
    return {(rule.rule, rule.endpoint, frozenset(rule.methods or ())) for rule in app.url_map.iter_rules()}


def readiness(twin: RunningTwin) -> tuple[int, list[str]]:
    """Return the status of the readiness check, and what it says is unreachable."""
    answer = requests.get(f"{twin.url}/readyz", timeout=30)
    return answer.status_code, answer.json().get("unreachable", [])


def test_route_tables_are_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both twins have the same routes, but for those that tell of a pending operation, or stop that."""
    plain, durable = map(routes, make_both(monkeypatch))
    assert plain <= durable
    tell = {"/api/operations/<operation_id>", "/operations/<operation_id>/dismiss"}
    assert {rule for rule, _, _ in durable - plain} == tell


def test_form_edited_after_the_back_button(twin: RunningTwin, browser: Browser) -> None:
    """A form that comes back with its old request id and is submitted with another text is something new."""
    form, tasks = browser.form("/add"), [new_name("back"), new_name("back")]
    for task in tasks:
        assert browser.submit(form, task=task).status_code == 302
    assert [twin.tasks(task) for task in tasks] == [[task] for task in tasks]


def test_form_while_the_database_is_down(twin: RunningTwin, browser: Browser) -> None:
    """The plain twin answers 503 with the form as it was; the Restate twin promises, shows that, and keeps it."""
    ready, status, notices, added = {
        PLAIN: (503, 503, [], []),  # Nothing can be written, and nobody would do it later.
        RESTATE: (200, 302, ["1 change is saved and will be applied."], ["{}"]),  # Restate has the write.
    }[twin.which]
    task, form, database = new_name("bread"), browser.form("/add"), twin.stack.servers["db"]
    database.kill()
    told = readiness(twin)
    answer = browser.submit(form, task=task)
    page = browser.get()
    database.start()
    twin.settle()

    assert told == (ready, ["database"])
    # The list cannot be read in either twin, but a todo can be written down.
    assert page.status_code == 503
    assert browser.form("/add", page).fields["task"] == ""
    assert answer.status_code == status
    assert browser.notices(page) == notices
    assert browser.notices() == []
    assert twin.tasks(task) == [text.format(task) for text in added]

    if answer.status_code == 503:
        again = browser.form("/add", answer)
        assert (again.fields["task"], again.fields["request_id"]) == (task, form.fields["request_id"])
        assert browser.submit(again).status_code == 302
    assert twin.tasks(task) == [task]


def test_operation_tells_its_result(durable: RunningTwin) -> None:
    """A pending operation of the Restate twin tells at its address that it is pending, and later its result."""
    title, doomed, database = new_name("bread"), durable.add(new_name("doomed")), durable.stack.servers["db"]
    database.kill()
    answers = [durable.call("POST", json={"title": title}), durable.call("DELETE", doomed["url"])]
    addresses = [answer.headers["location"] for answer in answers]
    assert [durable.call("GET", address).json()["status"] for address in addresses] == ["pending"] * 2
    database.start()
    assert durable.settle() == []

    added, deleted = [durable.call("GET", address).json() for address in addresses]
    assert (added["status"], deleted["status"], deleted["result"]) == ("done", "done", None)
    assert durable.call("GET", added["result"]["url"]).json() == added["result"]
    assert durable.rows("SELECT id FROM todo WHERE task = %s", title) == [(added["result"]["id"],)]
    assert durable.tasks(doomed["title"]) == []


def test_form_while_the_restate_server_is_down(twin: RunningTwin, browser: Browser) -> None:
    """The plain twin adds the todo; the Restate twin answers 503 with the form, which adds it once when it is back."""
    status, ready, at_first = {
        PLAIN: (302, (200, []), 1),  # It has no Restate server.
        RESTATE: (503, (503, ["restate"]), 0),  # Its web cannot hand the write over.
    }[twin.which]
    task, form, restate = new_name("bread"), browser.form("/add"), twin.stack.servers["restate"]
    restate.kill()
    answer = browser.submit(form, task=task)
    assert (answer.status_code, readiness(twin), browser.get().status_code) == (status, ready, 200)
    assert twin.tasks(task) == [task] * at_first
    restate.start()
    if answer.status_code == 503:
        again = browser.form("/add", answer)
        assert (again.fields["task"], again.fields["request_id"]) == (task, form.fields["request_id"])
        assert [browser.submit(again).status_code for _ in range(2)] == [302, 302]
    twin.settle()
    assert twin.tasks(task) == [task]


def test_unknown_operation_is_404(twin: RunningTwin) -> None:
    """An operation that does not exist is 404 in both twins, as a problem."""
    for operation_id in ("inv_16hVqTBnKXDv6vOmVJ4iTQ0JLFsPkVY3Bx", "x", "..%2f..%2fTodoService"):
        response = twin.call("GET", f"{twin.url}/api/operations/{operation_id}")
        assert response.status_code == 404
        assert response.headers["content-type"] == "application/problem+json"


def test_unsigned_requests_to_the_service_are_refused(durable: RunningTwin) -> None:
    """A request that the Restate server has not signed gets 401 from the service endpoint, and runs no handler."""
    service_url = durable.stack.ports.service_url
    durable.add(new_name("kept"))
    with durable.unchanged():
        assert requests.post(f"{service_url}/invoke/TodoService/clear_todos", timeout=10).status_code == 401
        assert requests.get(f"{service_url}/discover", timeout=10).status_code == 401


@pytest.mark.parametrize("server_name", ["restate_app", "flask-todo", "flask-todo-restate"])
def test_stop_is_graceful(native_stack: Stack, server_name: str) -> None:
    """Asked to end, a server ends by itself with exit code 0, although others hold connections to it."""
    server = native_stack.servers[server_name]
    assert server.pid
    os.kill(server.pid, signal.SIGTERM)
    until(lambda: not server.running, f"{server_name} has ended")
    assert server.how_it_ended() == "exit code 0"
