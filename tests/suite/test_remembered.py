"""What a browser was promised is in its cookies: they stay few and short, whatever was typed."""

from itertools import count
from random import Random
from typing import NoReturn

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from flask_restate.extension import OperationState, PendingError
from flask_todo_restate import outcomes, remembered, waiting
from tests.suite.test_outage_log import Clock
from tests.suite.test_pending import PENDING
from tests.support.applications import make_both

HEADER_BYTES = 8190
"""What gunicorn takes."""


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Flask:
    """The Restate twin, whose calls are late, and whose Restate tells nothing."""
    for name in ("RESTATE_ENDPOINT", "RESTATE_ADMIN_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    _, app = make_both(monkeypatch)
    app.config["WTF_CSRF_ENABLED"] = False
    ids = (f"inv_{number:034}" for number in count())

    def late(*_: object, **more: object) -> NoReturn:
        del more
        raise PendingError(next(ids), "add_todo")

    monkeypatch.setattr(outcomes.restate, "call", late)
    return app


def tasks(number: int) -> list[str]:
    """Return long tasks of the script that has the most signs, which cannot be compressed."""
    random = Random(1)
    return ["".join(chr(0x4E00 + random.randrange(20_000)) for _ in range(200)) for _ in range(number)]


def cookies(client: FlaskClient) -> str:
    """Return what a browser sends."""
    return str(client.get("/").request.headers["cookie"])


def texts(client: FlaskClient, selector: str) -> list[str]:
    """Return the texts of elements of the list's page."""
    return [part.get_text() for part in BeautifulSoup(client.get("/").text, "html.parser").select(selector)]


def test_promises_fit_into_the_cookies(app: Flask) -> None:
    """Of many long tasks the latest are remembered in full, and the page says how many are not, until dismissed."""
    client, typed = app.test_client(), tasks(6)
    assert [client.post("/add", data={"task": task}).status_code for task in typed] == [302] * len(typed)
    shown = texts(client, f"{PENDING} .task")
    assert 2 <= len(shown) < len(typed)
    assert shown == typed[::-1][: len(shown)]
    assert len(cookies(client)) < remembered.MAX_BYTES_IN_ALL + 500
    told = texts(client, "[role=status]")
    assert told[0].endswith("What became of them is told as soon as Restate answers.")
    assert told[-1].startswith(f"Of {len(typed) - len(shown)} more ")
    assert client.post("/operations/earlier/dismiss").status_code == 302
    assert len(texts(client, "[role=status]")) == len(told) - 1


def test_promises_of_one_moment_fit(app: Flask) -> None:
    """Four pages that are submitted at one moment, each with a long webhook, leave room in the header."""
    client, before = app.test_client(), app.test_client()
    for task in tasks(3):
        before.post("/add", data={"task": task})
    room = HEADER_BYTES - len(cookies(before))
    random = Random(1)
    for todo in range(1, 5):
        url = f"http://8.8.8.8/{random.randbytes(950).hex()}"
        answer = app.test_client().post(f"/todos/{todo}/watcher", data={"url": url})
        (cookie,) = [line for line in answer.headers.getlist("set-cookie") if line.startswith(remembered.PREFIX)]
        name, _, value = cookie.partition(";")[0].partition("=")
        client.set_cookie(name, value)
    assert len(texts(client, PENDING)) == 4
    assert len(cookies(client)) < room


def test_cookies_of_others(app: Flask) -> None:
    """What this application has not set under a name is neither read nor deleted."""
    client = app.test_client()
    client.post("/add", data={"task": "mine"})
    (mine,) = [cookie for cookie in cookies(client).split("; ") if cookie.startswith(remembered.PREFIX)]
    for name in ("earlier", "inv_1", ""):
        client.set_cookie(f"{remembered.PREFIX}{name}", mine.partition("=")[2])
    client.set_cookie(f"{remembered.PREFIX}inv_2", "not.signed")
    page = client.get("/")
    assert page.status_code == 503  # Without the database.
    assert not [line for line in page.headers.getlist("set-cookie") if line.startswith(remembered.PREFIX)]
    assert texts(client, f"{PENDING} .task") == ["mine"]


def test_slow_answers_have_one_deadline(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many promises there are, and however slowly Restate tells of each, a page waits half a second."""
    clock, asked, client = Clock(), [], app.test_client()
    for number in range(8):
        client.post("/add", data={"task": f"slow {number}"})

    def status(operation_id: str, timeout: float) -> OperationState:
        asked.append(operation_id)
        clock.now += min(timeout, 0.2)
        return OperationState("pending")

    monkeypatch.setattr(waiting, "time", clock)
    monkeypatch.setattr(outcomes.restate, "status", status)
    before = clock.now
    assert len(texts(client, PENDING)) == 8
    assert len(asked) == 3
    assert clock.now - before == pytest.approx(waiting.ASK_SECONDS)
