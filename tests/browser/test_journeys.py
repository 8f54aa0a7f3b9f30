"""Everything can be done in both twins: with or without JavaScript, on a phone, in the dark, and with the keyboard."""

from itertools import combinations, product

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.visitor import CONDITIONS, PAIRWISE, Visitor
from tests.support.running_twin import RunningTwin

everybody = pytest.mark.parametrize("visitor", PAIRWISE, ids=str, indirect=True)


def button(page: Page, name: str) -> Locator:
    """Return the button with exactly this name."""
    return page.get_by_role("button", name=name, exact=True)


def edit(page: Page, task: str) -> Locator:
    """Return what opens the form that edits a todo."""
    name = f"Edit {task}"
    return page.get_by_role("link", name=name, exact=True).or_(page.get_by_label(name, exact=True))


def todo(page: Page, task: str) -> Locator:
    """Return the row of a todo."""
    return page.get_by_role("listitem").filter(has_text=task)


def add(visitor: Visitor, task: str) -> None:
    """Add a todo, and see it in the list."""
    visitor.submit(visitor.page.get_by_label("New task"), task, button(visitor.page, "Add"))
    expect(todo(visitor.page, task)).to_be_visible()


def test_every_pair_of_conditions_occurs() -> None:
    """The few conditions in which the journeys are made are enough."""
    for one, other in combinations(CONDITIONS, 2):
        assert {(getattr(has, one), getattr(has, other)) for has in PAIRWISE} == set(product([True, False], repeat=2))


@everybody
def test_list(twin: RunningTwin, visitor: Visitor) -> None:
    """Add, tick and untick, edit, delete: the page shows it, and the database follows."""
    page = visitor.open()
    visitor.sees("empty")
    add(visitor, "milk")
    add(visitor, "bread")
    for verb, completed in [("Complete", True), ("Reopen", False), ("Complete", True)]:
        visitor.use(button(page, f"{verb} milk"))
        expect(button(page, f"{'Reopen' if completed else 'Complete'} milk")).to_be_visible()
        assert [row[2] for row in twin.todos_named("milk")] == [completed]

    visitor.use(edit(page, "bread"))
    field = page.get_by_label("Task", exact=True).filter(visible=True)
    expect(field).to_have_value("bread")
    visitor.sees("edited")
    visitor.submit(field, "rye bread", button(page, "Save"))
    expect(button(page, "Delete rye bread")).to_be_visible()
    assert sorted(task for _, task, *_ in twin.todos()) == ["milk", "rye bread"]

    visitor.use(button(page, "Delete milk"))
    expect(todo(page, "milk")).to_have_count(0)
    assert [task for _, task, *_ in twin.todos()] == ["rye bread"]
