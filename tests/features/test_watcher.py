"""Tell the watcher: one call for each completion, told or shown; the twins differ in what becomes of one that fails."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
import requests

from tests.support import restate_admin
from tests.support.browser import Browser
from tests.support.outside_world import OutsideWorldClient
from tests.support.running_twin import RunningTwin, new_key
from tests.support.table_lock import todos_locked, waiting_for_locks
from tests.support.user import new_name
from tests.support.waiting import until

INVALID = [
    {},
    {"url": 5},
    *(
        {"url": url}
        for url in [
            *("", "/hooks/x", "ftp://example.com/", "javascript:alert(1)", "http://", "http:///x", "http://:80/"),
            *("http://user:secret@example.com/", "http://user@example.com/", "http://@example.com/"),
            *("http://a b/", "http://a\n/", "http://a\u2028b/", "http://a:99999/", "http://[::1/", "http://*.x/"),
            *("http://nowhere.invalid/", "http://" + "a" * 2000 + ".example/", "http://" + "a" * 64 + ".invalid/"),
            *(
                "http://127.0.0.1/",
                "https://localhost:1/",
                "http://2130706433/",
                "http://0x7f.1/",
                "http://0177.0.0.1/",
            ),
            *("http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://[fe80::1%25lo]/", "http://[fd00::1]/"),
            *("http://10.0.0.1/", "http://172.16.0.1/", "http://192.168.0.1/", "http://169.254.169.254/latest"),
            *("http://0.0.0.0/", "http://100.64.0.1/", "http://224.0.0.1/", "http://[64:ff9b::7f00:1]/"),
            *("http://[2002:7f00:1::]/", "http://255.255.255.255/", "http://[ff02::1]/", "http://[::]/"),
        ]
    ),
]


class Todo:
    """A todo that is watched."""

    def __init__(self, twin: RunningTwin, world: OutsideWorldClient) -> None:
        """Add it."""
        self.twin, self.world = twin, world
        self.title = new_name("watched")
        self.id: int = twin.add(self.title)["id"]
        self.url = twin.hook("watcher")
        assert self.call("PUT", "/watcher", {"url": self.url}).json() == {
            "url": self.url,
            "called_at": None,
            "error": None,
        }

    def call(self, method: str, path: str = "", json: object = None, key: str = "") -> requests.Response:
        """Ask for something of it."""
        return self.twin.call(method, f"/{self.id}{path}", json=json, headers={"Idempotency-Key": key or new_key()})

    def complete(self, key: str = "") -> requests.Response:
        """Complete it."""
        answer = self.call("PATCH", json={"completed": True}, key=key)
        assert answer.status_code == 200, answer.text
        assert answer.json()["completed"]
        return answer

    def reopen(self) -> None:
        """Reopen it."""
        assert self.call("PATCH", json={"completed": False}).status_code == 200

    def watcher(self) -> dict[str, Any]:
        """Return what is shown of the watcher when a call is on record."""
        until(lambda: self.call("GET", "/watcher").json()["called_at"], "it is called")
        return dict(self.call("GET", "/watcher").json())

    def heard(self) -> list[dict[str, Any]]:
        """Return what the watcher took."""
        return self.world.effects_for(self.id, "hooks")

    def asked(self) -> list[dict[str, Any]]:
        """Return all calls that it got."""
        return self.world.requests_for(self.id, "hooks")


@pytest.fixture
def todo(twin: RunningTwin, world: OutsideWorldClient) -> Todo:
    """A todo that is watched."""
    return Todo(twin, world)


def test_watcher(todo: Todo) -> None:
    """A watcher is set, changed and taken away, whom nobody calls then; what is not there is 404."""
    other = {"url": f"{todo.url}/%7Eb?c=d"}
    assert todo.call("PUT", "/watcher", {"url": f" {todo.url}/~b?c=d "}).json()["url"].startswith(todo.url)
    assert todo.call("PUT", "/watcher", other).json() == todo.call("GET", "/watcher").json()
    assert todo.call("DELETE", "/watcher").status_code == 204
    for method in ("GET", "DELETE"):
        assert todo.call(method, "/watcher").status_code == 404
        assert todo.twin.call(method, "/2147483647/watcher").status_code == 404
        assert todo.twin.call(method, "/99999999999/watcher").status_code == 404
    assert todo.twin.call("PUT", "/2147483647/watcher", json={"url": todo.url}).status_code == 404
    todo.complete()
    todo.twin.settle()
    assert todo.asked() == []


def test_no_watcher(todo: Todo) -> None:
    """What is no address of the world outside is refused, and the watcher stays."""
    for body in INVALID:
        answer = todo.call("PUT", "/watcher", body)
        assert answer.status_code == 422, (body, answer.text)
    assert todo.call("GET", "/watcher").json()["url"] == todo.url


def test_once_for_each_completion(todo: Todo) -> None:
    """It is told when a todo was completed, not when it already is, nor of other changes; again after a reopening."""
    key = new_key()
    for body in ({"title": f"{todo.title}!"}, {"completed": False}, {"completed": True, "title": todo.title}):
        assert todo.call("PATCH", json=body, key=key).status_code == 200
    assert todo.watcher()["error"] is None
    todo.complete()
    todo.complete(key)
    todo.reopen()
    todo.complete()
    until(lambda: len(todo.heard()) == 2, "it is called again")
    todo.twin.settle()
    first, second = todo.heard()
    assert {"todo": todo.id, "title": todo.title}.items() <= first["details"]["body"].items()
    assert first["details"]["body"]["completed_at"] < second["details"]["body"]["completed_at"]
    assert len({request["key"] for request in todo.asked()}) == len(todo.asked()) == 2


def test_two_at_once(todo: Todo) -> None:
    """However many complete a todo at once, it is one completion."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: todo.complete(), range(8)))
    todo.watcher()
    todo.twin.settle()
    assert len(todo.asked()) == 1


def test_watcher_refuses(todo: Todo) -> None:
    """The todo is completed all the same, the reason is shown, and it is not called again."""
    with todo.world.told_for(todo.id, "hooks", "reject", status=410):
        todo.complete()
        assert "410" in todo.watcher()["error"]
    todo.twin.settle()
    assert (len(todo.asked()), todo.heard()) == (1, [])


def test_watcher_fails_for_a_moment(todo: Todo) -> None:
    """The plain twin shows that it failed; the Restate twin calls again, with the same key."""
    modes = ("error", "drop")
    todos = {mode: Todo(todo.twin, todo.world) for mode in modes}
    with ExitStack() as told:
        for mode, each in todos.items():
            told.enter_context(todo.world.told_for(each.id, "hooks", mode, count=1))
            each.complete()
        errors = {mode: each.watcher()["error"] for mode, each in todos.items()}
    todo.twin.settle()
    for mode, each in todos.items():
        asked = each.asked()
        assert len({request["key"] for request in asked}) == 1
        if todo.twin.which.durable:
            assert (errors[mode], len(asked), len(each.heard())) == (None, 2, 1)
        else:
            assert errors[mode]
            assert (len(asked), len(each.heard())) == (1, mode == "drop")


def test_process_dies_while_it_calls(todo: Todo) -> None:
    """Killed while the watcher works: the plain twin never knows; the durable one asks again, and lets nobody wait."""
    with ThreadPoolExecutor(1) as pool, todo.world.told_for(todo.id, "hooks", "slow", seconds_each=0.6, count=1):
        completing = pool.submit(todo.complete)
        until(todo.asked, "it is called")
        if todo.twin.which.durable:
            completing.result()
            assert todo.asked()[0]["status"] is None
        todo.twin.writer.kill()
        until(todo.heard, "the call has come through")
        todo.twin.writer.start()
        assert bool(completing.exception()) is not todo.twin.which.durable
    assert todo.call("GET").json()["completed"]
    if todo.twin.which.durable:
        assert todo.watcher()["error"] is None
        assert len({request["key"] for request in todo.asked()}) == 1
    else:
        assert todo.call("GET", "/watcher").json()["called_at"] is None
    assert len(todo.heard()) == 1


def test_operator_cancels(durable: RunningTwin) -> None:
    """A change that may complete a todo is not stopped by an operator's cancel: whoever completes it is told, once."""
    todo = Todo(durable, OutsideWorldClient(durable.stack.outside_world_url(durable.which), durable.which.key))
    other = Todo(durable, todo.world)
    database_url = durable.stack.database_url(durable.which)
    with todos_locked(database_url), ThreadPoolExecutor(2) as pool:
        completing = pool.submit(todo.call, "PATCH", json={"completed": True})
        changing = pool.submit(other.call, "PATCH", json={"title": other.title})
        until(lambda: waiting_for_locks(database_url) == 2, "both wait for the database")
        for call in durable.unfinished():
            restate_admin.order(durable.stack.ports.admin_url, call["id"], "cancel")
        assert changing.result().status_code == 503, "the orders are carried out"
    assert completing.result().status_code in (200, 202)
    assert todo.watcher()["error"] is None
    assert durable.settle() == []
    assert todo.call("GET").json()["completed"]
    assert len(todo.asked()) == 1


def test_restarted_as_new(durable: RunningTwin) -> None:
    """An operator who runs a change anew, or purges it before its form comes again, lets nobody be called twice."""
    todo = Todo(durable, OutsideWorldClient(durable.stack.outside_world_url(durable.which), durable.which.key))
    admin, key = durable.stack.ports.admin_url, new_key()
    todo.complete(key)
    todo.watcher()
    (call,) = (
        row["id"]
        for row in restate_admin.query(admin, "SELECT id, idempotency_key FROM sys_invocation")
        if row.get("idempotency_key", "").startswith(key)
    )
    restate_admin.order(admin, call, "restart-as-new")
    restate_admin.order(admin, call, "purge")
    todo.complete(key)
    durable.settle()
    assert len({request["key"] for request in todo.asked()}) == len(todo.heard()) == 1


def test_page(todo: Todo, browser: Browser) -> None:
    """Everything can be done by forms; what is not accepted comes back as it was typed."""
    page = f"/todos/{todo.id}"
    for url in ("http://10.0.0.1/", "ftp://x", "http://u:p@example.com/"):
        refused = browser.submit(browser.form(f"{page}/watcher$", browser.get(page)), url=url)
        assert refused.status_code == 400
        assert browser.texts("[role=alert]", refused)
        assert browser.form(f"{page}/watcher$", refused).fields["url"] == url
    with todo.world.told_for(todo.id, "hooks", "reject", status=410):
        done = browser.submit(browser.form(f"/update/{todo.id}$"))
        assert done.status_code == 302
        todo.watcher()
    (section,) = browser.texts("#watcher", browser.get(page))
    assert todo.url in section
    assert "410" in section
    browser.submit(browser.form(f"{page}/watcher$", browser.get(page)), url=f"{todo.url}2")
    assert todo.call("GET", "/watcher").json()["url"] == f"{todo.url}2"
    assert browser.submit(browser.form(f"{page}/watcher/delete", browser.get(page))).status_code == 302
    assert todo.call("GET", "/watcher").status_code == 404
