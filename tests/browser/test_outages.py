"""Outages as people see them: the Restate twin keeps what it was given, the plain one says that nothing was saved."""

import re
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.pages import button, hop, link, new_task, pending, row, tick
from tests.browser.visitor import DESKTOP, PHONE, Conditions, Visitor
from tests.suite.test_operator import refusing
from tests.support.running_twin import RunningTwin
from todo_stack.stack import Stack
from todo_stack.twins import TWINS

TASKS = ["milk", "bread", "soap"]
NOT_AVAILABLE = "status 503"
GONE = "ERR_CONNECTION|ERR_SOCKET_NOT_CONNECTED|ERR_EMPTY_RESPONSE|ERR_CONTENT_LENGTH|ERR_NETWORK|chrome-error"
DELETE_SECONDS = 3
MANY = 53
"""Todos, more than are listed while they are pending."""

WITHOUT_JAVASCRIPT = Conditions(javascript=False)

only_plain, only_restate = (pytest.mark.parametrize("twin", [twin], ids=str, indirect=True) for twin in TWINS)
on_a_phone = pytest.mark.parametrize(
    "visitor", [Conditions(phone=True, dark=True, keyboard=True)], ids=str, indirect=True
)


@pytest.fixture
def visit(visit: Visit) -> Visit:
    """Let somebody visit the twin, who sees an outage."""

    def visitor(has: Conditions) -> Visitor:
        one = visit(has)
        one.expects(NOT_AVAILABLE, GONE)
        return one

    return visitor


@only_restate
@on_a_phone
def test_pending_becomes_done(twin: RunningTwin, visit: Visit, visitor: Visitor) -> None:
    """The database goes and three todos are added by two people: both see them pending, in Restate, too, and done."""
    page, other = visitor.open(), visit(WITHOUT_JAVASCRIPT)
    other.open()
    twin.stack.servers["db"].kill()
    for task in TASKS[:2]:
        visitor.add(task)
        expect(pending(page, task)).to_be_visible()
        expect(new_task(page)).to_have_value("")
    other.add(TASKS[2])
    for task in TASKS:
        expect(pending(page, task)).to_contain_text("the database is not available")
        other.waits_for(pending(other.page, task))
    expect(page.get_by_role("alert")).to_contain_text("The database is not available")
    expect(hop(page, "PostgreSQL", "fails")).to_be_visible()
    visitor.sees("pending")
    other.sees("pending")
    _look_into_restate(visitor, page, TASKS[0])
    twin.stack.servers["db"].start()
    for task in TASKS:
        visitor.waits_for(tick(page, task))
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.locator("li.pending")).to_have_count(0)
    expect(hop(page, "PostgreSQL", "works")).to_be_visible()
    assert sorted(todo[1] for todo in twin.todos()) == sorted(TASKS)
    visitor.sees("done")
    assert other.open().get_by_role("checkbox").count() == len(TASKS)


def _look_into_restate(visitor: Visitor, page: Page, task: str) -> None:
    """Follow the link of a write that is repeated to Restate's own dashboard, and come back."""
    in_restate = pending(page, task).get_by_role("link", name="Look at it in Restate", exact=True)
    visitor.hosts.add(urlsplit(str(in_restate.get_attribute("href"))).netloc)
    visitor.use(in_restate)
    # Not all of it is there on a phone.
    page.set_viewport_size(DESKTOP)
    expect(page.get_by_text("add_todo").first).to_be_visible()
    expect(page.get_by_text(re.compile(r"\d(st|nd|rd|th) attempt")).first).to_be_visible()
    expect(page.get_by_text("TemporaryError").first).to_be_visible()
    visitor.picture("dashboard")
    page.set_viewport_size(PHONE)
    visitor.open()


@only_plain
@on_a_phone
def test_nothing_was_saved(twin: RunningTwin, visit: Visit, visitor: Visitor) -> None:
    """The plain twin says that it cannot, and keeps the text until it can be submitted again."""
    other = visit(WITHOUT_JAVASCRIPT)
    for one in (visitor, other):
        one.open()
    twin.stack.servers["db"].kill()
    for one, tasks in ((visitor, TASKS[:2]), (other, TASKS[2:])):
        for task in tasks:
            one.add(task)
            expect(one.page.get_by_role("alert")).to_contain_text("The database is not available")
            expect(new_task(one.page)).to_have_value(task)
        expect(hop(one.page, "PostgreSQL", "fails")).to_be_visible()
        one.sees("not saved")
    twin.stack.servers["db"].start()
    assert twin.todos() == []
    button(visitor.page, "Add").click()
    expect(tick(visitor.page, TASKS[1])).to_be_visible()
    assert [todo[1] for todo in twin.todos()] == TASKS[1:2]


@only_restate
def test_service_is_killed(twin: RunningTwin, visitor: Visitor) -> None:
    """The service is killed: a change is pending, on a todo's page, too, and then done, or refused and tried again."""
    twin.add("milk")
    page = visitor.open()
    twin.writer.kill()
    visitor.add("soap")
    expect(pending(page, "soap")).to_contain_text("the service does not answer")
    expect(hop(page, "service", "fails")).to_be_visible()
    tick(page, "milk").click()
    expect(pending(page, "Completing")).to_be_visible()
    expect(row(page, "milk").last).to_have_attribute("aria-busy", "true")
    visitor.sees("pending")
    link(page, "milk").click()
    expect(page.get_by_role("heading", name="milk", exact=True)).to_be_visible()
    expect(pending(page, "Completing")).to_contain_text("the service does not answer")
    expect(page.locator("li.pending")).to_have_count(1)
    visitor.sees("pending on its page")
    with refusing(twin, "soap", "no more soap"):
        twin.writer.start()
        visitor.waits_for(page.get_by_text("New todo “soap” failed: no more soap"))
        expect(page.locator("li.pending")).to_have_count(0)
        expect(page.locator("h2.completed")).to_be_visible()
        page.get_by_role("link", name="Back to the list", exact=True).click()
        expect(tick(page, "milk")).to_be_checked()
        expect(row(page, "soap")).to_have_count(0)
        expect(page.get_by_label("Text of what failed")).to_have_value("soap")
        visitor.sees("rejected")
    button(page, "Try again").click()
    expect(tick(page, "soap")).to_be_visible()
    expect(page.get_by_label("Text of what failed")).to_have_count(0)
    assert sorted(todo[1:3] for todo in twin.todos()) == [("milk", True), ("soap", False)]


def test_web_is_killed(twin: RunningTwin, visit: Visit, visitor: Visitor) -> None:
    """The web is killed with -9: an open page says so and keeps what is typed, and both go on by themselves."""
    page, other = visitor.open(), visit(WITHOUT_JAVASCRIPT)
    visitor.add("milk")
    expect(tick(page, "milk")).to_be_visible()
    new_task(page).fill("half a thought")
    other.open()
    twin.web.kill()
    other.add("bread")
    other.page.wait_for_url("chrome-error:**")
    away = page.locator("#way.away")
    visitor.waits_for(away)
    visitor.picture("away")
    twin.web.start()
    expect(away).to_have_count(0)
    expect(new_task(page)).to_have_value("half a thought")
    assert [todo[1] for todo in twin.todos()] == ["milk"]
    visitor.sees("back")
    button(page, "Add").click()
    expect(tick(page, "half a thought")).to_be_visible()
    other.open()
    other.add("bread")
    expect(tick(other.page, "bread")).to_be_visible()


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
    visitor.waits_for(tick(page, "milk"))
    assert twin.settle() == []
    assert len(twin.todos_named("milk")) == 1


@only_restate
def test_time_of_a_delete_is_over(twin: RunningTwin, visitor: Visitor, native_stack: Stack) -> None:
    """A delete that runs out of its time says so, and the todo is still there; of many other writes some are listed."""
    # In containers the service would keep its setting, and the ingress is not reached.
    send = f"{native_stack.ports.ingress_url}/restate/send/TodoService/add_todo"
    service = twin.stack.servers[twin.which.writer]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(service.env, "DELETE_MAX_DURATION_SECONDS", str(DELETE_SECONDS))
        service.kill()
        service.start()
        twin.add("milk")
        page = visitor.open()
        twin.stack.servers["db"].kill()
        with requests.Session() as session:
            for number in range(MANY):
                session.post(send, json={"task": f"todo {number}"}, timeout=30).raise_for_status()
        button(page, "Delete milk").click()
        failed = page.get_by_text(f"could not be deleted within {DELETE_SECONDS} s")
        visitor.waits_for(failed)
        expect(page.locator("li.pending").last).to_have_text(re.compile(r"and \d more"))
        visitor.sees("many pending")
        twin.stack.servers["db"].start()
        visitor.waits_for(tick(page, "milk"))
        assert twin.settle() == []
    service.kill()
