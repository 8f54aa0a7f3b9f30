"""What people do to a page, and what they write into it."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.browser.pages import button, edit, edited, link, row, tick
from tests.browser.visitor import Conditions, Visitor
from tests.support.running_twin import RunningTwin
from tests.support.waiting import until
from todo_stack.twins import PLAIN, RESTATE

ODD = [
    """<script>alert(1)</script><img src=x onerror="alert(2)">""",
    """"quoted" & 'so' &amp; {{ 7 * 7 }} </li></form><b>""",
    "שלום עולם: 3 kg (חלב)",
    "اشترِ الحليب، 2 لتر",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467 \U0001f3f3\ufe0f\u200d\U0001f308 e\u0301",
    "w" * 200,
]


def test_double_click(twin: RunningTwin, visitor: Visitor) -> None:
    """Two clicks on Add: the durable twin adds one todo, the plain one may add two."""
    page = visitor.open()
    page.get_by_label("New task").fill("milk")
    button(page, "Add").dblclick()
    expect(row(page, "milk").first).to_be_visible()
    assert twin.settle() == []
    possible = {PLAIN: {1, 2}, RESTATE: {1}}[twin.which]
    assert len(twin.todos_named("milk")) in possible


@pytest.mark.parametrize("visitor", [Conditions(), Conditions(javascript=False)], ids=str, indirect=True)
def test_back(twin: RunningTwin, visitor: Visitor) -> None:
    """After the Back button the page can be used as before, and other input is another todo."""
    page = visitor.open()
    visitor.add("milk")
    link(page, "milk").click()
    expect(page.get_by_role("heading", name="milk", exact=True)).to_be_visible()
    page.go_back()
    visitor.add("bread")
    expect(tick(page, "bread")).to_be_visible()
    page.go_back()
    tick(page, "milk").click()
    expect(tick(page, "milk")).to_be_checked()
    assert sorted(todo[1:3] for todo in twin.todos()) == [("bread", False), ("milk", True)]


@pytest.mark.parametrize("visitor", [Conditions(phone=True), Conditions(dark=True)], ids=str, indirect=True)
def test_odd_text(twin: RunningTwin, visitor: Visitor) -> None:
    """Markup, text from right to left, emoji, and one long word stay what they are, and fit."""
    page = visitor.open()
    for text in ODD:
        visitor.add(text)
        expect(link(page, text)).to_be_visible()
    visitor.sees("odd")
    assert [todo[1] for todo in twin.todos()] == ODD
    for text in (ODD[0], ODD[2]):
        edit(page, text).click()
        expect(edited(page)).to_have_value(text)
        edited(page).fill(text[:-1])
        button(page, "Save").click()
        expect(link(page, text[:-1])).to_be_visible()
    link(page, ODD[1]).click()
    expect(page.get_by_role("heading", name=ODD[1], exact=True)).to_be_visible()


def test_two_browsers(twin: RunningTwin, visit: Visit) -> None:
    """Two people see the same list, and one is told that what they see is gone."""
    ann, bob = visit(Conditions()), visit(Conditions(phone=True))
    bob.open()
    ann.open()
    ann.add("milk")
    expect(tick(ann.page, "milk")).to_be_visible()
    bob.waits_for(tick(bob.page, "milk"))
    tick(bob.page, "milk").click()
    expect(tick(bob.page, "milk")).to_be_checked()
    bob.page.route("**/*", lambda route: route.abort() if route.request.resource_type == "fetch" else route.continue_())
    ann.waits_for(tick(ann.page, "milk").and_(ann.page.locator("[aria-checked=true]")))
    button(ann.page, "Delete milk").click()
    expect(row(ann.page, "milk")).to_have_count(0)
    bob.expects("status 404", "ERR_FAILED")
    button(bob.page, "Delete milk").click()
    expect(bob.page.get_by_role("alert")).to_be_visible()
    until(lambda: twin.todos() == [], "nothing is left")
