"""Parts of the list in a browser: its filters, what clears it, and forms that lead back to where they were."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.pages import button, edit, edited, row, tick
from tests.browser.visitor import Conditions, Visitor
from tests.support.running_twin import RunningTwin

MANY = 410
"""Todos; each filter has three pages."""

LONG = "x" * 201

two_ways = pytest.mark.parametrize(
    "visitor",
    [Conditions(), Conditions(javascript=False, phone=True, dark=True, keyboard=True)],
    ids=str,
    indirect=True,
)


@two_ways
def test_filters(twin: RunningTwin, visitor: Visitor) -> None:
    """Each filter shows its part; a tick leaves it, and clearing deletes the completed ones, and says so."""
    for task in ("milk", "bread"):
        twin.add(task)
    page = visitor.open()
    show = {name: page.get_by_role("link", name=re.compile(name)) for name in ("All", "Active", "Completed")}
    visitor.use(show["Active"])
    expect(show["Active"]).to_have_attribute("aria-current", "page")
    visitor.use(tick(page, "milk"))
    expect(row(page, "milk")).to_have_count(0)
    expect(show["Completed"]).to_have_text("Completed 1")
    visitor.use(show["Completed"])
    expect(tick(page, "milk")).to_be_checked()
    expect(row(page, "bread")).to_have_count(0)
    visitor.sees("completed")
    visitor.use(button(page, "Clear completed"))
    expect(page.get_by_role("status")).to_contain_text("The completed todos are deleted.")
    expect(page.get_by_text("Nothing is completed yet.")).to_be_visible()
    visitor.use(show["All"])
    expect(tick(page, "bread")).to_be_visible()
    assert [todo[1] for todo in twin.todos()] == ["bread"]


@two_ways
def test_edit_leads_back(twin: RunningTwin, visitor: Visitor) -> None:
    """An edit on the third page of a filter, refused at first, leads back there; so does Cancel."""
    added = "INSERT INTO todo (task, completed) SELECT 'todo ' || n, n %% 2 = 0 FROM generate_series(1, %s) n"
    twin.rows(added, MANY)
    here = "/?page=3&show=active"
    page = visitor.open(here)
    # With a mouse, always: a hundred rows have many places to stop at.
    edit(page, "todo 9").click()
    expect(edited(page)).to_be_focused()
    page.get_by_role("link", name="Cancel", exact=True).click()
    expect(page).to_have_url(re.compile(re.escape(here)))
    edit(page, "todo 9").click()
    # The browser itself would not submit this, and the page's script would bring back what it is checked with.
    edited(page).evaluate(
        "(field, text) => {field.pattern = '.*'; field.value = text; field.form.requestSubmit();}", LONG
    )
    visitor.expects("status 400")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(edited(page)).to_have_value(LONG)
    visitor.sees("refused")
    edited(page).fill("todo 9, by noon")
    button(page, "Save").click()
    expect(page).to_have_url(re.compile(re.escape(here)))
    expect(tick(page, "todo 9, by noon")).to_be_visible()
