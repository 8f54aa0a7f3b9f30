"""What an operator does to a call while its step runs: what its user is told then agrees with the database."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import pytest
import requests

from tests.support import restate_admin
from tests.support.browser import Browser
from tests.support.running_twin import RunningTwin, new_key
from tests.support.table_lock import todos_locked, waiting_for_locks
from tests.support.user import new_name
from tests.support.waiting import until
from todo_stack.twins import RESTATE

CARRIED = ("bounty", "watcher", "reminder", "meeting")
"""Tables of what a todo carries."""

MAY_BE_DONE = "was stopped, but may have been made. Please check the list."


@dataclass(frozen=True)
class Action:
    """What an operator orders, and what the user is told of a change that is made once, whatever is ordered."""

    meanwhile: str = ""
    """Ordered while the step waits for the database."""
    afterwards: str = ""
    """Ordered when the call is paused or has ended."""
    told: str = "done"
    """At the operation's address."""
    told_again: str = "done"
    """The answer to a request with the same key."""


ACTIONS = {
    "cancel": Action("cancel", told="unknown", told_again="unknown"),
    "kill": Action("kill", told="unknown", told_again="unknown"),
    "pause": Action("pause", "resume"),
    "restart": Action("", "restart-as-new"),
    "purge": Action("", "purge", told="not found"),
    "cancel, restart": Action("cancel", "restart-as-new", told="unknown", told_again="unknown"),
    "kill, purge": Action("kill", "purge", told="not found"),
}

NOT_STOPPED = ("delete", "clear")
"""Kinds of writes that a cancel does not stop: what is deleted may leave something to undo, which must be known.
That of a change which completes a todo is in tests/features/test_watcher.py."""

METHODS = {"add": "POST", "update": "PATCH", "delete": "DELETE", "clear": "DELETE"}
"""By the kind of write."""


@dataclass
class Write:
    """One write to the Restate twin, and what becomes of its call."""

    twin: RunningTwin
    kind: str
    action: Action
    name: str = field(default_factory=lambda: new_name("operator"))
    """The task of the todo that it adds, changes or deletes."""
    key: str = field(default_factory=new_key)
    operation: str = ""
    """The address at which its state can be asked for."""

    def __post_init__(self) -> None:
        """Add the todo that it changes or deletes."""
        before = {"add": "", "update": f"{self.name} before"}.get(self.kind, self.name)
        todo = self.twin.add(before) if before else {}
        self.path = f"/{todo['id']}" if self.kind in ("update", "delete") else ""
        self.body = {"title": self.name} if self.kind in ("add", "update") else None

    def send(self) -> requests.Response:
        """Ask for it, each time with the same key."""
        return self.twin.call(METHODS[self.kind], self.path, self.body, {"Idempotency-Key": self.key})

    def promised(self) -> None:
        """Ask for it, and be told that it will be made."""
        answer = self.send()
        assert answer.status_code == 202, answer.text
        self.operation = answer.headers["location"]

    def order(self, verb: str) -> None:
        """Do this to its call, as an operator."""
        if verb:
            restate_admin.order(self.twin.stack.ports.admin_url, self.operation.rpartition("/")[2], verb)

    def order_when_it_rests(self) -> None:
        """Wait until its call is paused or has ended, and do what is ordered afterwards."""
        admin_url, call_id = self.twin.stack.ports.admin_url, self.operation.rpartition("/")[2]
        until(
            lambda: restate_admin.invocation(admin_url, call_id)["status"] in ("paused", "completed"),
            f"the call of {self} is paused or has ended",
        )
        self.order(self.action.afterwards)

    @property
    def told(self) -> str:
        """What its user reads at the operation's address."""
        answer = self.twin.call("GET", self.operation)
        return "not found" if answer.status_code == 404 else str(answer.json()["status"])

    @property
    def told_again(self) -> str:
        """What its user is told who asks again."""
        answer = self.send()
        unknown = answer.status_code == 503 and "may have been done" in answer.json()["detail"]
        return "unknown" if unknown else "done" if answer.ok else f"{answer.status_code} {answer.text}"


@pytest.mark.parametrize("kind", METHODS)
def test_told_what_is_in_the_database(durable: RunningTwin, kind: str) -> None:
    """While its step runs, a call is pending or unknown; then done, unknown or forgotten. The change is made once."""
    database_url = durable.stack.database_url(RESTATE)
    actions = {what: _for(kind, action) for what, action in ACTIONS.items()}
    writes = {what: Write(durable, kind, action) for what, action in actions.items()}
    with todos_locked(database_url):
        with ThreadPoolExecutor(len(writes)) as pool:
            list(pool.map(Write.promised, writes.values()))
        until(lambda: waiting_for_locks(database_url) == len(writes), "all steps wait for the database")
        for write in writes.values():
            write.order(write.action.meanwhile)
        stops = ("kill",) if kind in NOT_STOPPED else ("cancel", "kill")
        stopped = {what: "unknown" if action.meanwhile in stops else "pending" for what, action in actions.items()}
        until(lambda: {what: write.told for what, write in writes.items()} == stopped, "the orders are carried out")
    for write in writes.values():
        write.order_when_it_rests()
    assert durable.settle() == []
    later = durable.add(new_name("later"))["title"]

    assert {what: write.told for what, write in writes.items()} == {
        what: action.told for what, action in actions.items()
    }
    told_again = {what: write.told_again for what, write in writes.items()}
    assert told_again == {what: action.told_again for what, action in actions.items()}
    tasks = {write.name: durable.tasks(write.name) for write in writes.values()}
    assert tasks == {name: [name] if kind in ("add", "update") else [] for name in tasks}
    # Nothing was cleared a second time.
    assert durable.tasks(later) == [later]


def _for(kind: str, action: Action) -> Action:
    undeterred = kind in NOT_STOPPED and action.meanwhile == "cancel"
    return replace(action, told="done", told_again="done") if undeterred else action


@contextlib.contextmanager
def refusing(twin: RunningTwin, task: str, word: str) -> Iterator[None]:
    """Let the database refuse this task with this word, and whatever a todo is to carry."""
    twin.rows(
        f"""CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE '{word}'; END $$;
            CREATE TRIGGER refuse BEFORE INSERT ON todo FOR EACH ROW WHEN (NEW.task = '{task}')
            EXECUTE FUNCTION refuse();"""
        + "".join(
            f"CREATE TRIGGER refuse BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION refuse();"
            for table in CARRIED
        )
    )
    try:
        yield
    finally:
        twin.rows("DROP FUNCTION refuse() CASCADE")


@pytest.mark.parametrize("word", ["cancelled", "killed"])
def test_refused_in_an_operators_words(durable: RunningTwin, word: str) -> None:
    """A refusal of the application is one, also when it has the words that Restate has for a call that was stopped."""
    task = new_name("refused")
    with refusing(durable, task, word), durable.unchanged():
        answer = durable.call("POST", json={"title": task})
    assert (answer.status_code, answer.json()["detail"]) == (409, word)


def test_notice_of_a_cancelled_write(durable: RunningTwin) -> None:
    """A page says of each write that was cancelled that it may have been made, and goes on; so it was."""
    database_url, admin_url = durable.stack.database_url(RESTATE), durable.stack.ports.admin_url
    name, changed = new_name("notice"), durable.add(new_name("changed"))
    forms = {
        "/add": (f"New todo “{name} new”", {"task": f"{name} new"}),
        f"/update/{changed['id']}": (
            f"Change of “{changed['title']}” to “{name} changed”",
            {"task": f"{name} changed", "completed": "false"},
        ),
    }
    with contextlib.ExitStack() as at_end:
        browsers = [at_end.enter_context(contextlib.closing(Browser(durable.url))) for _ in forms]
        given = [browser.form(f"^{action}$") for browser, action in zip(browsers, forms, strict=True)]
        with todos_locked(database_url):
            with ThreadPoolExecutor(len(forms)) as pool:
                changes = [fields for _, fields in forms.values()]
                list(pool.map(lambda browser, form, fields: browser.submit(form, **fields), browsers, given, changes))
            until(lambda: waiting_for_locks(database_url) == len(forms), "all steps wait for the database")
            for call in durable.unfinished():
                restate_admin.order(admin_url, call["id"], "cancel")
            assert durable.settle() == []
            for browser, (what, _) in zip(browsers, forms.values(), strict=True):
                (notice,) = browser.notices()
                assert notice.startswith(what)
                assert notice.endswith(MAY_BE_DONE)
                assert browser.notices() == [notice]
    until(lambda: durable.tasks(name) == [f"{name} changed", f"{name} new"], "what was cancelled is made")
