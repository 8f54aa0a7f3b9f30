"""The twins are twins: one face, and a difference that is only about durability."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
import requests
import tenacity
from flask import Flask

from flask_todo.app import create_app as plain_app
from flask_todo_restate.app import create_app as restate_app
from flask_todo_restate.settings import WebSettings
from tests.support.browser import Browser
from tests.support.running_twin import RunningTwin, new_key
from todo_shared.settings import Settings
from todo_stack.stack import Stack


def routes(app: Flask) -> set[tuple[str, str, frozenset[str]]]:
    """Return the route table of an application."""
    return {(rule.rule, rule.endpoint, frozenset(rule.methods or ())) for rule in app.url_map.iter_rules()}


def test_route_tables_are_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both twins have the same routes, but for the one that asks what became of a pending operation."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    monkeypatch.setenv("SECRET_KEY", "a secret for tests")
    monkeypatch.setenv("PORT", "1")
    plain, durable = routes(plain_app(Settings())), routes(restate_app(WebSettings()))
    assert plain <= durable
    assert [rule for rule, _, _ in durable - plain] == ["/api/operations/<operation_id>"]


def test_same_form_twice(twin: RunningTwin, browser: Browser) -> None:
    """A form submitted a second time adds a second todo in the plain twin, and none in the Restate twin."""
    task = f"twice {uuid4()}"
    form = browser.form("/add")
    answers = [browser.submit(form, task=task).status_code for _ in range(2)]
    assert answers == [302, 302]
    # Only the Restate twin knows the request id again.
    assert len(twin.tasks(task)) == (1 if twin.which.durable else 2)


def test_double_click(twin: RunningTwin, browser: Browser) -> None:
    """The same holds for a form that is submitted many times at once."""
    task = f"double {uuid4()}"
    form = browser.form("/add")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: browser.submit(form, task=task).status_code, range(8)))
    assert answers == [302] * 8
    assert len(twin.tasks(task)) == (1 if twin.which.durable else 8)


def test_same_key_twice(twin: RunningTwin) -> None:
    """A call repeated with its Idempotency-Key gets the same todo in the Restate twin, another in the plain twin."""
    title, headers = f"key {uuid4()}", {"Idempotency-Key": new_key()}
    first, second = (twin.call("POST", json={"title": title}, headers=headers) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert (first.json() == second.json()) is twin.which.durable
    assert len(twin.tasks(title)) == (1 if twin.which.durable else 2)


def test_delete_repeated_with_its_key(twin: RunningTwin) -> None:
    """A repeated deletion finds nothing in the plain twin; the Restate twin knows that it has done it."""
    todo, headers = twin.add(f"doomed {uuid4()}"), {"Idempotency-Key": new_key()}
    answers = [twin.call("DELETE", todo["url"], headers=headers).status_code for _ in range(2)]
    assert answers == [204, 204 if twin.which.durable else 404]
    # With another key it is another deletion, and that has nothing to delete.
    assert twin.call("DELETE", todo["url"], headers={"Idempotency-Key": new_key()}).status_code == 404


def test_form_edited_after_the_back_button(twin: RunningTwin, browser: Browser) -> None:
    """A form that comes back with its old request id and is submitted with another text is something new."""
    form = browser.form("/add")
    tasks = [f"back {uuid4()}" for _ in range(2)]
    for task in tasks:
        assert browser.submit(form, task=task).status_code == 302
    assert [twin.tasks(task) for task in tasks] == [[task] for task in tasks]


def test_database_away_when_a_form_is_submitted(twin: RunningTwin, browser: Browser) -> None:
    """With the database away the plain twin keeps the form on a 503 page; the Restate twin promises, and keeps it."""
    task = f"away {uuid4()}"
    form = browser.form("/add")
    database = twin.stack.servers["db"]
    database.kill()
    ready = requests.get(f"{twin.url}/readyz", timeout=30)
    answer = browser.submit(form, task=task)
    page = browser.get()
    database.start()

    assert ready.status_code == 503
    assert ready.json()["unreachable"] == ["database"]
    # The list cannot be read in either twin, but a todo can be written down.
    assert page.status_code == 503
    assert browser.form("/add", page).fields["task"] == ""
    if twin.which.durable:
        assert (answer.status_code, answer.headers["location"]) == (302, "/")
        assert f"Your new todo “{task}” is saved and will be applied" in page.text
        assert twin.settle() == []
        assert "will be applied" not in browser.get().text
    else:
        assert answer.status_code == 503
        again = browser.form("/add", answer)
        assert (again.fields["task"], again.fields["request_id"]) == (task, form.fields["request_id"])
        assert twin.tasks(task) == []
        assert browser.submit(again).status_code == 302
    assert twin.tasks(task) == [task]


def test_database_away_when_the_api_is_called(twin: RunningTwin) -> None:
    """With the database away the plain twin answers 503; the Restate twin 202, and later tells the result."""
    title = f"away {uuid4()}"
    database = twin.stack.servers["db"]
    doomed = twin.add(f"doomed {uuid4()}")
    database.kill()
    added = twin.call("POST", json={"title": title})
    deleted = twin.call("DELETE", doomed["url"])
    while_away = twin.call("GET", added.headers["location"]) if twin.which.durable else None
    database.start()

    if while_away is None:
        assert [added.status_code, deleted.status_code] == [503, 503]
        assert added.headers["content-type"] == "application/problem+json"
        assert twin.tasks(title) == []
        return
    assert [added.status_code, deleted.status_code] == [202, 202]
    assert while_away.json()["status"] == "pending"
    assert twin.settle() == []
    done = twin.call("GET", added.headers["location"]).json()
    assert done["status"] == "done"
    assert twin.call("GET", done["result"]["url"]).json() == done["result"]
    assert twin.call("GET", deleted.headers["location"]).json()["result"] is None
    assert twin.call("GET", doomed["url"]).status_code == 404
    assert twin.tasks(title) == [title]


def test_restate_away_when_a_form_is_submitted(twin: RunningTwin, browser: Browser) -> None:
    """Without the Restate server the plain twin works on; the other keeps the form, and reads still work."""
    task = f"away {uuid4()}"
    form = browser.form("/add")
    restate = twin.stack.servers["restate"]
    restate.kill()
    answer = browser.submit(form, task=task)
    page = browser.get()
    ready = requests.get(f"{twin.url}/readyz", timeout=30)
    restate.start()

    assert page.status_code == 200
    if not twin.which.durable:
        assert answer.status_code == 302
        assert ready.status_code == 200
        assert twin.tasks(task) == [task]
        return
    assert answer.status_code == 503
    assert ready.json()["unreachable"] == ["restate"]
    again = browser.form("/add", answer)
    assert (again.fields["task"], again.fields["request_id"]) == (task, form.fields["request_id"])
    assert twin.tasks(task) == []
    assert browser.submit(again).status_code == 302
    assert browser.submit(again).status_code == 302
    assert twin.tasks(task) == [task]


def test_unknown_operation_is_404(twin: RunningTwin) -> None:
    """An operation that there is not is 404 in both twins: the plain one has none."""
    for operation_id in ("inv_16hVqTBnKXDv6vOmVJ4iTQ0JLFsPkVY3Bx", "x", "..%2f..%2fTodoService"):
        response = twin.call("GET", f"{twin.url}/api/operations/{operation_id}")
        assert response.status_code == 404
        assert response.headers["content-type"] == "application/problem+json"


def test_unsigned_requests_to_the_service_are_refused(stack: Stack) -> None:
    """Who reaches the service endpoint past the Restate server cannot run its handlers."""
    for path in ("/invoke/TodoService/clear_todos", "/discover"):
        method = requests.get if path == "/discover" else requests.post
        response = method(stack.ports.service_url + path, timeout=10)
        assert response.status_code == 401, path


def test_stop_is_graceful(stack: Stack) -> None:
    """Asked to end, each server ends by itself and well, although Restate and browsers hold their connections."""
    if not isinstance(stack, Stack):
        pytest.skip("how containers stop is tested in tests/containers")
    waiting = tenacity.Retrying(
        retry=tenacity.retry_if_result(bool), stop=tenacity.stop_after_delay(30), wait=tenacity.wait_fixed(0.05)
    )
    for name in ("restate_app", "flask-todo", "flask-todo-restate"):
        server = stack.servers[name]
        assert server.pid
        os.kill(server.pid, signal.SIGTERM)
        waiting(lambda server=server: server.running)
        assert server.how_it_ended() == "exit code 0"
