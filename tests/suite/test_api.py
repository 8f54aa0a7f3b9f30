"""The JSON API is the same in both twins: the public Todo-Backend contract, and errors as RFC 9457 problems."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.support.running_twin import RunningTwin, new_key
from tests.support.user import new_name

JSON = {"content-type": "application/json"}

BAD_TITLES = {
    "blank": "  ",
    "empty": "",
    "201 characters": "x" * 201,
    "NUL": "a\x00b",
    "control character": "a\x07b",
    "number": 5,
    "null": None,
    "list": ["a"],
}


def assert_problem(response: requests.Response, status: int) -> dict[str, Any]:
    """Assert that this is a problem with this status, and return it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["status"] == status
    assert body["detail"]
    assert body["title"]
    return body


def test_contract_of_todo_backend(twin: RunningTwin) -> None:
    """The Todo-Backend contract holds from an empty list to an empty list, and the database has what was answered."""
    root = f"{twin.url}/api/todos"
    assert twin.call("DELETE").status_code == 204
    assert twin.call("GET").json() == []

    created = twin.call("POST", json={"title": "walk the dog"})
    assert created.status_code == 201
    todo = created.json()
    assert todo["title"] == "walk the dog"
    assert todo["completed"] is False
    assert todo["order"] is None
    assert todo["url"] == created.headers["location"] == f"{root}/{todo['id']}"
    assert twin.call("GET", todo["url"]).json() == todo
    assert twin.call("GET").json() == [todo]
    assert twin.todos() == [(todo["id"], "walk the dog", False, None)]

    changed = twin.call("PATCH", todo["url"], {"title": "bathe the cat", "completed": True, "order": 10})
    assert changed.status_code == 200
    assert changed.json() == {**todo, "title": "bathe the cat", "completed": True, "order": 10}
    assert twin.todos() == [(todo["id"], "bathe the cat", True, 10)]
    assert twin.call("GET", todo["url"]).json() == changed.json() == twin.call("GET").json()[0]
    assert twin.call("PATCH", todo["url"], {"order": None}).json()["order"] is None
    assert twin.call("PATCH", todo["url"], {}).json()["title"] == "bathe the cat"

    assert twin.call("POST", json={"title": "blah", "order": 523}).json()["order"] == 523
    # Clients send back whole todos; the fields that are not theirs to set are ignored.
    assert twin.call("PATCH", todo["url"], {**todo, "id": 7, "url": "x"}).json() == todo
    assert [row[1:] for row in twin.todos()] == [("walk the dog", False, None), ("blah", False, 523)]

    assert twin.call("DELETE", todo["url"]).status_code == 204
    assert_problem(twin.call("GET", todo["url"]), 404)
    assert [row[1:] for row in twin.todos()] == [("blah", False, 523)]
    assert twin.call("DELETE").status_code == 204
    assert twin.todos() == []


@pytest.mark.parametrize("title", BAD_TITLES.values(), ids=BAD_TITLES)
def test_bad_title_is_422(twin: RunningTwin, title: object) -> None:
    """A title that cannot be accepted is 422 when adding and when changing, and changes nothing."""
    todo = twin.add(new_name("kept"))
    with twin.unchanged():
        for response in (twin.call("POST", json={"title": title}), twin.call("PATCH", todo["url"], {"title": title})):
            assert "title" in assert_problem(response, 422)["detail"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"task": "x"},
        [],
        "x",
        {"title": "x", "order": "1"},
        {"title": "x", "order": 2**31},
        {"title": "x", "order": 1.5},
    ],
    ids=str,
)
def test_wrong_shape_is_422(twin: RunningTwin, body: object) -> None:
    """A body of another shape is 422, and adds nothing."""
    with twin.unchanged():
        assert_problem(twin.call("POST", json=body), 422)


def test_wrong_completed_is_422(twin: RunningTwin) -> None:
    """Completed is a boolean: anything else is 422, and changes nothing."""
    todo = twin.add(new_name("kept"))
    with twin.unchanged():
        for value in ("true", 1, None):
            assert_problem(twin.call("PATCH", todo["url"], {"completed": value}), 422)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"title=x", b'{"title": "\xff"}', b'{"title": "\\ud800"}', b"[" * 60_000],
    ids=["empty", "cut off", "form", "not UTF-8", "half a surrogate pair", "too deep"],
)
def test_broken_json_is_400(twin: RunningTwin, body: bytes) -> None:
    """A body that is not JSON is 400, and adds nothing."""
    with twin.unchanged():
        assert_problem(twin.call("POST", headers=JSON, data=body), 400)


def test_only_json(twin: RunningTwin) -> None:
    """A body that is not declared as JSON is 415 and changes nothing, so that no form of another site can be a call."""
    todo = twin.add(new_name("kept"))
    with twin.unchanged():
        for method, url in (("POST", f"{twin.url}/api/todos"), ("PATCH", todo["url"])):
            for kind in ("text/plain", "application/x-www-form-urlencoded"):
                assert_problem(twin.call(method, url, headers={"content-type": kind}, data=b'{"title": "x"}'), 415)
        assert_problem(twin.call("POST"), 415)


def test_unknown_todo_is_404(twin: RunningTwin) -> None:
    """A todo that does not exist is 404, however large its number, and nothing changes."""
    with twin.unchanged():
        for todo_id in ("2000000000", str(2**31), str(10**30), "x", "-1"):
            for method, body in (("GET", None), ("PATCH", {"completed": True}), ("DELETE", None)):
                assert_problem(twin.call(method, f"/{todo_id}", body), 404)


def test_oversized_body_is_413(twin: RunningTwin) -> None:
    """A body larger than the limit is 413, also where its length is not declared, and adds nothing."""

    def chunks() -> Iterator[bytes]:
        yield b'{"title": "chunked"}'
        yield b" " * 200_000

    with twin.unchanged():
        assert_problem(twin.call("POST", json={"title": "x" * 100_000}), 413)
        assert_problem(twin.call("POST", headers=JSON, data=chunks()), 413)


def test_wrong_method_is_405(twin: RunningTwin) -> None:
    """A method that the address does not have is 405 with those that it has, and changes nothing."""
    with twin.unchanged():
        response = twin.call("PUT", json={"title": "x"})
    assert_problem(response, 405)
    assert set(response.headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST", "DELETE"}


def test_any_origin_may_call(twin: RunningTwin) -> None:
    """A page of any origin may call the API: the preflight allows it, answers and errors can be read, no cookies."""
    headers = {
        "origin": "http://elsewhere.example",
        "access-control-request-method": "PATCH",
        "access-control-request-headers": "content-type, idempotency-key",
    }
    preflight = twin.call("OPTIONS", "/1", headers=headers)
    assert preflight.status_code == 200
    assert "PATCH" in preflight.headers["access-control-allow-methods"]
    assert "idempotency-key" in preflight.headers["access-control-allow-headers"].lower()
    for response in (preflight, twin.call("GET", headers=headers), twin.call("DELETE", "/x", headers=headers)):
        assert response.headers["access-control-allow-origin"] in ("*", headers["origin"])
        assert "access-control-allow-credentials" not in response.headers
    assert "access-control-allow-origin" not in requests.get(twin.url, headers=headers, timeout=10).headers


def test_bad_idempotency_key_is_400(twin: RunningTwin) -> None:
    """An Idempotency-Key that cannot be one is 400 and adds nothing; a good one is accepted."""
    title = new_name("key")
    for key in ("", "x" * 256, "a b"):
        assert_problem(twin.call("POST", json={"title": title}, headers={"Idempotency-Key": key}), 400)
    assert twin.tasks(title) == []
    assert twin.call("POST", json={"title": title}, headers={"Idempotency-Key": new_key()}).status_code == 201
    assert twin.tasks(title) == [title]
