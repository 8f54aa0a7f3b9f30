"""Where things are on the pages, by role and name, as people find them."""

from playwright.sync_api import Locator, Page


def button(where: Page | Locator, name: str) -> Locator:
    """Return the button with exactly this name."""
    return where.get_by_role("button", name=name, exact=True)


def new_task(page: Page) -> Locator:
    """Return the field for a new todo."""
    return page.get_by_label("New task")


def row(page: Page, task: str) -> Locator:
    """Return the row of a todo in the list, with whatever state it is in."""
    return page.get_by_role("listitem").filter(has_text=task)


def tick(page: Page, task: str) -> Locator:
    """Return the checkbox of a todo, which it has once it is in the database."""
    return page.get_by_role("checkbox", name=task, exact=True)


def link(page: Page, task: str) -> Locator:
    """Return the link to the page of a todo."""
    return page.get_by_role("link", name=task, exact=True)


def edit(page: Page, task: str) -> Locator:
    """Return what opens the form that edits a todo."""
    name = f"Edit {task}"
    return page.get_by_role("link", name=name, exact=True).or_(page.get_by_label(name, exact=True))


def edited(page: Page) -> Locator:
    """Return the field in which a todo is edited."""
    return page.get_by_label("Task", exact=True).filter(visible=True)


def pending(page: Page, text: str) -> Locator:
    """Return the row of what was accepted and is not applied yet, with this text."""
    return page.locator("li.pending").filter(has_text=text)


def hop(page: Page, name: str, state: str) -> Locator:
    """Return the part of the way of a write with this name, if it is in this state: works, fails or unknown."""
    return page.locator(f"#way li.{state}").filter(has_text=name)
