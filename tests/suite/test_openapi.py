"""The served OpenAPI description says what there is."""

import re
from typing import Any

import pytest
import requests
import schemathesis
from flask import Flask

from tests.support.applications import make_both
from tests.support.running_twin import RunningTwin

PATH = "/api/openapi.json"
ERROR = "application/problem+json"


def described(app: Flask) -> dict[str, Any]:
    """Return the description that an application serves."""
    answer: dict[str, Any] = app.test_client().get(PATH).get_json()
    return answer


def operations(description: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return what is described, by path and method."""
    return {
        (path, method.upper()): operation
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    }


def test_every_route_is_described_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """The description has the routes of the API, its methods and arguments; only what Flask adds itself is left out."""
    for app in make_both(monkeypatch):
        routes = {
            (re.sub(r"<(\w+:)?(\w+)>", r"{\2}", rule.rule), method): rule.arguments
            for rule in app.url_map.iter_rules()
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
            if rule.rule.startswith("/api/") and rule.rule != PATH
        }
        found = operations(described(app))
        assert found.keys() == routes.keys()
        for place, operation in found.items():
            in_path = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"}
            assert in_path == routes[place]


def test_twins_differ_in_what_is_durable_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Restate twin may answer each write with 202, and tells what becomes of it; all else is described alike."""
    plain, durable = map(described, make_both(monkeypatch))
    there, here = operations(plain), operations(durable)
    assert here.keys() - there.keys() == {("/api/operations/{operation_id}", "GET")}
    for place, operation in there.items():
        assert "202" not in operation["responses"]
        assert ("202" in here[place]["responses"]) == (place[1] != "GET")
        here[place]["responses"].pop("202", None)
        assert here[place] == operation
    assert durable["components"]["schemas"].keys() - plain["components"]["schemas"].keys() == {
        "OperationJson",
        "PendingJson",
    }


def test_each_error_is_a_problem_and_each_place_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors have one schema; what was made, or will be, has its place in a header; only writes take a key."""
    for app in make_both(monkeypatch):
        for (_, method), operation in operations(described(app)).items():
            for status, answer in operation["responses"].items():
                assert ("Location" in answer.get("headers", {})) == (status in ("201", "202"))
                assert list(answer.get("content", {})) == (
                    [] if status == "204" else [ERROR] if status >= "400" else ["application/json"]
                )
            keys = [parameter for parameter in operation["parameters"] if parameter["name"] == "Idempotency-Key"]
            assert len(keys) == (method != "GET")
            # A POST may ask for something that needs no words.
            with_body = {"GET": {False}, "DELETE": {False}, "POST": {True, False}}.get(method, {True})
            assert ("requestBody" in operation) in with_body


def test_served_description_is_valid(twin: RunningTwin) -> None:
    """It is OpenAPI, as JSON, for any origin."""
    answer = requests.get(twin.url + PATH, headers={"origin": "http://elsewhere.example"}, timeout=10)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] in ("*", "http://elsewhere.example")
    schemathesis.openapi.from_dict(answer.json()).validate()
    assert answer.json()["info"]["title"] == twin.which.title
