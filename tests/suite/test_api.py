"""The JSON API is the same in both twins: the public Todo-Backend contract, and errors as RFC 9457 problems."""

import json
from typing import Any

import pytest
import requests

from tests.support.database import execute
from tests.support.running_twin import RunningTwin
from tests.support.user import new_name

JSON = {"content-type": "application/json"}

BAD_TITLES = ["  ", "", "\u200b", "\u3164\ufeff", "a\u2028b", "x" * 201, "a\x00b", "a\x07b", 5, None, ["a"]]

REFUSED: dict[str, tuple[str, dict[str, Any], int]] = {
    # Method, what goes with it, and the status of the answer.
    **{f"body {body}": ("POST", {"json": json.loads(body)}, 422) for body in ("{}", '{"task": "x"}', "[]", '"x"')},
    **{f"order {order}": ("POST", {"json": {"title": "x", "order": order}}, 422) for order in ("1", 2**31, 1.5)},
    **{f"completed {value}": ("PATCH", {"json": {"completed": value}}, 422) for value in ("true", 1, None)},
    "empty body": ("POST", {"headers": JSON, "data": b""}, 400),
    "JSON that is cut off": ("POST", {"headers": JSON, "data": b"{"}, 400),
    "form that is declared as JSON": ("POST", {"headers": JSON, "data": b"title=x"}, 400),
    "not UTF-8": ("POST", {"headers": JSON, "data": b'{"title": "\xff"}'}, 400),
    "half a surrogate pair": ("POST", {"headers": JSON, "data": b'{"title": "\\ud800"}'}, 400),
    **{
        f"JSON with {what}": ("POST", {"headers": JSON, "data": f'{{"title": "x", "mine": [{what}]}}'}, 400)
        for what in ("NaN", "Infinity", "-Infinity", "01", "0x1", "'a'", "1,", '"\t"')
    },
    "byte order mark": ("POST", {"headers": JSON, "data": b'\xef\xbb\xbf{"title": "x"}'}, 400),
    "UTF-16": ("POST", {"headers": JSON, "data": '{"title": "x"}'.encode("utf-16")}, 400),
    "too deep": ("POST", {"headers": JSON, "data": b"[" * 60_000}, 400),
    # So that no form of another site can be a call.
    **{
        f"{method} of {kind}": (method, {"headers": {"content-type": kind}, "data": b'{"title": "x"}'}, 415)
        for method in ("POST", "PATCH")
        for kind in ("text/plain", "application/x-www-form-urlencoded", None)
    },
    "too large": ("POST", {"json": {"title": "x" * 100_000}}, 413),
    **{
        f"key {key[:3]!r}": ("POST", {"json": {"title": "x"}, "headers": {"Idempotency-Key": key}}, 400)
        for key in ("", "x" * 256, "a b")
    },
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
    # A todo that another test has paid would stay.
    execute(twin.stack.database_url(twin.which), "DELETE FROM payment")
    assert twin.call("DELETE").status_code == 204
    assert twin.call("GET").json() == []

    created = twin.call("POST", json={"title": "walk the dog"})
    assert created.status_code == 201
    todo = created.json()
    url = todo.pop("url")
    assert url == created.headers["location"] == f"{root}/{todo['id']}"
    assert todo == {"id": todo["id"], "title": "walk the dog", "completed": False, "order": None}
    assert twin.call("GET", url).json() == {**todo, "url": url} == twin.call("GET").json()[0]
    assert twin.todos() == [(todo["id"], "walk the dog", False, None)]

    changes = {"title": "bathe the cat", "completed": True, "order": 10}
    changed = twin.call("PATCH", url, changes)
    assert changed.status_code == 200
    assert changed.json() == {**todo, "url": url, **changes}
    assert twin.call("GET", url).json() == changed.json() == twin.call("GET").json()[0]
    assert twin.todos() == [(todo["id"], "bathe the cat", True, 10)]
    assert twin.call("PATCH", url, {"order": None}).json()["order"] is None
    assert twin.call("PATCH", url, {}).json()["title"] == "bathe the cat"

    assert twin.call("POST", json={"title": "blah", "order": 523}).json()["order"] == 523
    # Clients send back whole todos; the fields that are not theirs to set are ignored.
    assert twin.call("PATCH", url, {**todo, "id": 7, "url": "x"}).json() == {**todo, "url": url}
    assert [row[1:] for row in twin.todos()] == [("walk the dog", False, None), ("blah", False, 523)]

    assert twin.call("DELETE", url).status_code == 204
    assert_problem(twin.call("GET", url), 404)
    assert [row[1:] for row in twin.todos()] == [("blah", False, 523)]
    assert twin.call("DELETE").status_code == 204
    assert twin.todos() == []


@pytest.mark.parametrize("title", BAD_TITLES, ids=lambda title: ascii(title)[:9])
def test_bad_title_is_422(twin: RunningTwin, title: object) -> None:
    """A title that cannot be accepted is 422 when adding and when changing, and changes nothing."""
    todo = twin.add(new_name("kept"))
    with twin.unchanged():
        for response in (twin.call("POST", json={"title": title}), twin.call("PATCH", todo["url"], {"title": title})):
            assert "title" in assert_problem(response, 422)["detail"]


@pytest.mark.parametrize(("method", "content", "status"), REFUSED.values(), ids=REFUSED)
def test_wrong_request(twin: RunningTwin, method: str, content: dict[str, Any], status: int) -> None:
    """A wrong request is answered with a problem that has this status, and changes nothing."""
    url = twin.add(new_name("kept"))["url"] if method == "PATCH" else ""
    with twin.unchanged():
        assert_problem(twin.call(method, url, **content), status)


def test_oversized_body_of_undeclared_length(twin: RunningTwin) -> None:
    """A body larger than the limit is 413 also where its length is not declared, and adds nothing."""
    with twin.unchanged():
        chunks = (chunk for chunk in (b'{"title": "chunked"}', b" " * 200_000))
        assert_problem(twin.call("POST", headers=JSON, data=chunks), 413)


def test_wrong_method_is_405(twin: RunningTwin) -> None:
    """A method that the address does not have is 405 with those that it has, and changes nothing."""
    with twin.unchanged():
        response = twin.call("PUT", json={"title": "x"})
    assert_problem(response, 405)
    assert set(response.headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST", "DELETE"}


def test_unknown_todo_is_404(twin: RunningTwin) -> None:
    """A todo that does not exist is 404, however large its number, and nothing changes."""
    with twin.unchanged():
        for todo_id in ("2000000000", str(2**31), str(10**30), "x", "-1"):
            for method, body in (("GET", None), ("PATCH", {"completed": True}), ("DELETE", None)):
                assert_problem(twin.call(method, f"/{todo_id}", body), 404)


def test_any_origin_may_call(twin: RunningTwin) -> None:
    """A page of any origin may call the API: the preflight allows it, answers and errors can be read, no cookies."""
    headers = {
        "origin": "http://elsewhere.example",
        "access-control-request-method": "PATCH",
        "access-control-request-headers": "content-type, idempotency-key",
    }
    preflight = twin.call("OPTIONS", "/1", headers=headers)
    assert preflight.status_code == 200
    methods = {"": {"GET", "HEAD", "OPTIONS", "POST", "DELETE"}, "/1": {"GET", "HEAD", "OPTIONS", "PATCH", "DELETE"}}
    for path, offered in methods.items():
        allowed = twin.call("OPTIONS", path, headers=headers).headers["access-control-allow-methods"]
        assert set(allowed.split(", ")) == offered
    assert "access-control-allow-methods" not in twin.call("OPTIONS", "/x", headers=headers).headers
    assert "idempotency-key" in preflight.headers["access-control-allow-headers"].lower()
    for response in (preflight, twin.call("GET", headers=headers), twin.call("DELETE", "/x", headers=headers)):
        assert response.headers["access-control-allow-origin"] in ("*", headers["origin"])
        assert "access-control-allow-credentials" not in response.headers
    assert "access-control-allow-origin" not in requests.get(twin.url, headers=headers, timeout=10).headers
