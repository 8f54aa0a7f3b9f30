"""A person with a real browser can use both twins, side by side, with and without JavaScript."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.running_twin import RunningStack, RunningTwin
from tests.support.user import new_name
from todo_stack.twins import TWINS


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without JavaScript"])
def page(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page; errors in its browser's console, such as blocked content, fail the test."""
    context = chromium.new_context(java_script_enabled=request.param)
    errors: list[str] = []
    context.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    yield context.new_page()
    context.close()
    # A page that says with a 503 that something is down is no error of the page.
    assert [error for error in errors if "status of 503" not in error] == []


def test_emoji_are_one_character_each(twin: RunningTwin, page: Page) -> None:
    """A title of 200 emoji can be added and edited; the browser itself refuses one more, and says why."""
    task = new_name("emoji").ljust(200, "\U0001f600")
    page.goto(twin.url)
    new = page.get_by_label("New task")
    new.fill(task + "\U0001f600")
    page.get_by_role("button", name="Add", exact=True).click()
    assert new.evaluate("input => [input.validity.patternMismatch, input.title]") == [True, "At most 200 characters"]
    assert twin.tasks(task) == []
    new.fill(f"  {task}  ")
    page.get_by_role("button", name="Add", exact=True).click()

    todo = page.get_by_role("listitem").filter(has_text=task)
    todo.get_by_role("link", name="Edit").click()
    edited = page.get_by_label("Task", exact=True)
    edited.fill(task + "x")
    page.get_by_role("button", name="Save", exact=True).click()
    assert edited.evaluate("input => input.validity.patternMismatch")
    edited.fill(f"{task[:-1]}\U0001f680")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text(f"{task[:-1]}\U0001f680", exact=True)).to_be_visible()
    assert twin.tasks(task[:-1]) == [f"{task[:-1]}\U0001f680"]


def test_browser_that_hides_where_it_was(twin: RunningTwin, chromium: Browser) -> None:
    """A browser that sends no Referer can submit forms."""
    task = new_name("no referrer")
    with chromium.new_context() as context:
        page = context.new_page()
        page.goto(twin.url)
        page.evaluate(
            "document.head.append(Object.assign(document.createElement('meta'), META))".replace(
                "META", "{name: 'referrer', content: 'no-referrer'}"
            )
        )
        page.get_by_label("New task").fill(task)
        page.get_by_role("button", name="Add", exact=True).click()
        expect(page.get_by_role("listitem").filter(has_text=task)).to_be_visible()
    assert twin.tasks(task) == [task]


def test_both_side_by_side(stack: RunningStack, page: Page) -> None:
    """Both twins can be used in turn in one browser: the session of one does not disturb the other's forms."""
    tasks = {RunningTwin(which, stack): new_name("side by side") for which in TWINS}
    pages = {twin: page.context.new_page() for twin in tasks}
    for _ in range(2):
        for twin, task in tasks.items():
            pages[twin].goto(twin.url)
            pages[twin].get_by_label("New task").fill(task)
    for twin, task in tasks.items():
        pages[twin].get_by_role("button", name="Add", exact=True).click()
        expect(pages[twin].get_by_role("listitem").filter(has_text=task)).to_be_visible()
        expect(pages[twin].locator(".notice")).to_have_count(0)
        assert twin.tasks(task) == [task]
