"""A person with a real browser can use both twins, side by side, with and without JavaScript."""

import re
import shutil
from collections.abc import Iterator
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.running_twin import RunningTwin
from todo_stack.stack import Stack
from todo_stack.twins import TWINS

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without JavaScript"])
def page(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page whose errors in the console, such as blocked content, fail the test."""
    context = chromium.new_context(java_script_enabled=request.param)
    page = context.new_page()
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    # A page that tells with a 503 that something is away is no error of the page.
    assert [error for error in errors if "status of 503" not in error] == []


def test_a_day_with_todos(twin: RunningTwin, page: Page) -> None:
    """Somebody adds a todo, completes it, renames it and deletes it, by what the page says."""
    task = f"browser {uuid4()}"
    page.goto(twin.url)
    page.get_by_label("New task").fill(task)
    page.get_by_role("button", name="Add", exact=True).click()

    todo = page.get_by_role("listitem").filter(has_text=task)
    expect(todo).to_be_visible()
    todo.get_by_role("button", name="Complete").click()
    expect(todo).to_have_class("completed")
    assert twin.rows("SELECT completed FROM todo WHERE task = %s", task) == [(True,)]

    todo.get_by_text("Edit").click()
    todo.get_by_label("Task", exact=True).fill(f"{task} renamed")
    todo.get_by_role("button", name="Save").click()
    expect(page.get_by_text(f"{task} renamed", exact=True)).to_be_visible()

    todo.get_by_role("button", name="Delete").click()
    expect(todo).to_have_count(0)
    assert twin.tasks(task) == []


def test_both_side_by_side(stack: Stack, page: Page) -> None:
    """Both twins can be used in turn in one browser: the session of one does not disturb the other's forms."""
    urls = [stack.ports.web_url(twin) for twin in TWINS]
    for url in [*urls, *urls]:
        page.goto(url)
        page.get_by_label("New task").fill(f"side by side {uuid4()}")
    other = page.context.new_page()
    other.goto(urls[0])
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page).to_have_url(re.compile(f"^{re.escape(urls[1])}/?$"))
    expect(page.locator(".notice")).to_have_count(0)


def test_promise_in_the_browser(twin: RunningTwin, page: Page) -> None:
    """With the database away, the one page says that it failed and keeps the text; the other, that it will be done."""
    task = f"promise {uuid4()}"
    page.goto(twin.url)
    page.get_by_label("New task").fill(task)
    twin.stack.servers["db"].kill()
    page.get_by_role("button", name="Add", exact=True).click()
    if twin.which.durable:
        expect(page.get_by_role("status")).to_contain_text(f"{task}” is saved and will be applied")
    else:
        expect(page.get_by_label("New task")).to_have_value(task)
    expect(page.get_by_role("alert")).to_contain_text("The database cannot be reached")
    twin.stack.servers["db"].start()
    assert twin.settle() == []
    page.goto(twin.url)
    expect(page.get_by_role("status")).to_have_count(0)
    assert twin.tasks(task) == ([task] if twin.which.durable else [])
