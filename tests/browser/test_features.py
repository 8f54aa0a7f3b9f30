"""What a todo carries can be set, used and taken off by everybody, as the list can."""

import pytest
from playwright.sync_api import expect

from tests.browser.pages import button, link, row, tick
from tests.browser.visitor import PAIRWISE, Visitor
from tests.support.running_twin import RunningTwin
from tests.support.user import new_name
from tests.support.waiting import until


@pytest.mark.parametrize("visitor", PAIRWISE, ids=str, indirect=True)
def test_features(twin: RunningTwin, visitor: Visitor) -> None:
    """A todo's page: pay a bounty, set a watcher and a reminder, plan a meeting; the list and the page tell of it."""
    todo = twin.add("mow the lawn")
    page = visitor.open()
    visitor.use(link(page, "mow the lawn"))
    expect(page.get_by_role("heading", name="mow the lawn", exact=True)).to_be_visible()
    visitor.sees("no features")
    bounty, watcher, reminder, meeting = map(page.locator, ("#bounty", "#watcher", "#reminder", "#meeting"))

    visitor.submit(bounty.get_by_label("Amount"), "12.50", button(bounty, "Set"))
    expect(bounty).to_contain_text("12.50 EUR")
    visitor.use(button(bounty, "Pay"))
    expect(bounty).to_contain_text("12.50 EUR: paid")
    visitor.submit(watcher.get_by_role("textbox"), twin.hook("browser"), button(watcher, "Set"))
    expect(watcher).to_contain_text("is called when this is completed")
    visitor.submit(reminder.get_by_label("in minutes"), "60", button(reminder, "Set"))
    expect(reminder).to_contain_text("Set for")
    visitor.enter(meeting.get_by_label("Start"), "2030-01-31T09:00")
    visitor.enter(meeting.get_by_label("Room"), new_name("room"))
    visitor.submit(meeting.get_by_label("Invite"), "ann@example.org", button(meeting, "Plan"))
    expect(button(meeting, "Cancel the meeting")).to_be_visible()
    visitor.sees("all features")

    visitor.use(page.get_by_role("link", name="Back to the list", exact=True))
    expect(row(page, "mow the lawn")).to_contain_text("bounty paid")
    expect(row(page, "mow the lawn")).to_contain_text("reminder set")
    visitor.use(tick(page, "mow the lawn"))
    expect(tick(page, "mow the lawn")).to_be_checked()
    until(lambda: "was taken" in visitor.open(f"/todos/{todo['id']}").locator("#watcher").inner_text(), "it is called")
    visitor.use(button(bounty, "Refund"))
    expect(bounty).to_contain_text("refunded")
