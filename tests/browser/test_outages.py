"""Outages as people see them: the Restate twin keeps what it was given, the plain one says that nothing was saved."""

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.pages import button, done, hop, new_task, pending
from tests.browser.visitor import Conditions, Visitor
from tests.support import restate_admin
from tests.support.running_twin import RunningTwin
from tests.support.waiting import until
from todo_stack.stack import Stack
from todo_stack.twins import TWINS

TASKS = ["milk", "bread", "soap"]
NOT_AVAILABLE = "status 503"
GONE = "ERR_CONNECTION|ERR_EMPTY_RESPONSE|ERR_NETWORK|chrome-error"
DELETE_SECONDS = 3

only_plain, only_restate = (pytest.mark.parametrize("twin", [twin], ids=str, indirect=True) for twin in TWINS)


@pytest.fixture
def visitor(visitor: Visitor) -> Visitor:
    """Somebody who sees an outage."""
    visitor.expects(NOT_AVAILABLE, GONE)
    return visitor


@only_restate
def test_pending_becomes_done(twin: RunningTwin, visit: Visit, visitor: Visitor) -> None:
    """The database goes and three todos are added: they are pending, for a second browser too, and then done."""
    page = visitor.open()
    twin.stack.servers["db"].kill()
    for task in TASKS:
        visitor.add(task)
        expect(pending(page, task)).to_be_visible()
        expect(new_task(page)).to_have_value("")
    expect(page.get_by_role("alert")).to_contain_text("The database is not available")
    expect(hop(page, "PostgreSQL", "fails")).to_be_visible()
    visitor.sees("pending")
    twin.stack.servers["db"].start()
    for task in TASKS:
        visitor.waits_for(done(page, task))
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.locator("li.pending")).to_have_count(0)
    expect(hop(page, "PostgreSQL", "works")).to_be_visible()
    assert sorted(todo[1] for todo in twin.todos()) == sorted(TASKS)
    visitor.sees("done")
    assert visit(Conditions(javascript=False)).open().get_by_role("button", name="Complete").count() == len(TASKS)


@only_plain
def test_nothing_was_saved(twin: RunningTwin, visitor: Visitor) -> None:
    """The plain twin says that it cannot, and keeps the text until it can be submitted again."""
    page = visitor.open()
    twin.stack.servers["db"].kill()
    for task in TASKS:
        visitor.add(task)
        expect(page.get_by_role("alert")).to_contain_text("The database is not available")
        expect(new_task(page)).to_have_value(task)
    expect(hop(page, "PostgreSQL", "fails")).to_be_visible()
    visitor.sees("not saved")
    twin.stack.servers["db"].start()
    assert twin.todos() == []
    button(page, "Add").click()
    expect(done(page, TASKS[-1])).to_be_visible()
    assert [todo[1] for todo in twin.todos()] == TASKS[-1:]


@only_restate
def test_service_is_killed(twin: RunningTwin, visitor: Visitor) -> None:
    """The service is killed with -9 before a todo is added: it is pending, and done when the service is back."""
    page = visitor.open()
    twin.writer.kill()
    visitor.add("milk")
    expect(pending(page, "milk")).to_contain_text("the service does not answer")
    expect(hop(page, "service", "fails")).to_be_visible()
    visitor.sees("pending")
    twin.writer.start()
    visitor.waits_for(done(page, "milk"))
    expect(hop(page, "service", "works")).to_be_visible()
    assert len(twin.todos_named("milk")) == 1


@only_plain
def test_web_is_killed(twin: RunningTwin, visitor: Visitor) -> None:
    """The plain twin's only process is killed: there is no page, and nothing was saved."""
    page = visitor.open()
    twin.writer.kill()
    visitor.add("milk")
    page.wait_for_url("chrome-error:**")
    twin.writer.start()
    assert twin.todos() == []
    visitor.open()
    visitor.add("milk")
    expect(done(page, "milk")).to_be_visible()


@only_restate
def test_restate_goes(twin: RunningTwin, visitor: Visitor) -> None:
    """Without the Restate server the form is kept, and works again when the server is back: once, though sent twice."""
    page = visitor.open()
    twin.stack.servers["restate"].kill()
    visitor.add("milk")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(new_task(page)).to_have_value("milk")
    expect(hop(page, "Restate", "fails")).to_be_visible()
    visitor.sees("form kept")
    twin.stack.servers["restate"].start()
    button(page, "Add").click()
    visitor.waits_for(done(page, "milk"))
    assert twin.settle() == []
    assert len(twin.todos_named("milk")) == 1


@only_restate
def test_time_of_a_delete_is_over(twin: RunningTwin, visitor: Visitor, native_stack: Stack) -> None:
    """A delete that runs out of its time says so, and the todo is still there."""
    del native_stack  # In containers the service would keep its setting.
    service = twin.stack.servers[twin.which.writer]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(service.env, "DELETE_MAX_DURATION_SECONDS", str(DELETE_SECONDS))
        service.stop()
        service.start()
        twin.add("milk")
        page = visitor.open()
        twin.stack.servers["db"].kill()
        button(page, "Delete milk").click()
        failed = page.get_by_text(f"could not be deleted within {DELETE_SECONDS} s")
        visitor.waits_for(failed)
        twin.stack.servers["db"].start()
        visitor.waits_for(done(page, "milk"))
    service.stop()
    service.start()


@only_restate
def test_dashboard(twin: RunningTwin, visitor: Visitor) -> None:
    """Restate's own dashboard shows a write that it repeats."""
    admin_url = twin.stack.ports.admin_url
    twin.stack.servers["db"].kill()
    waiting = twin.call("POST", json={"title": "milk"}).json()["id"]
    until(lambda: restate_admin.invocation(admin_url, waiting).get("retry_count", 0) > 1, "it is tried again")
    visitor.hosts.add(urlsplit(admin_url).netloc)
    page = visitor.context.new_page()
    page.goto(f"{admin_url}/ui/invocations/{waiting}")
    expect(page.get_by_text("add_todo").first).to_be_visible()
    expect(page.get_by_text(re.compile(r"\d(st|nd|rd|th) attempt")).first).to_be_visible()
    expect(page.get_by_text("TemporaryError").first).to_be_visible()
    visitor.picture("dashboard", page)
    page.close()
    twin.stack.servers["db"].start()
    visitor.open()
    visitor.waits_for(done(visitor.page, "milk"))
