"""Everything can be done in both twins: with or without JavaScript, on a phone, in the dark, and with the keyboard."""

from itertools import combinations, product

import pytest
from playwright.sync_api import expect

from tests.browser.pages import button, edit, edited, row, tick
from tests.browser.visitor import CONDITIONS, PAIRWISE, Visitor
from tests.support.running_twin import RunningTwin

PAGE_SIZE = 100


def test_every_pair_of_conditions_occurs() -> None:
    """The few conditions in which the journeys are made are enough."""
    for one, other in combinations(CONDITIONS, 2):
        assert {(getattr(has, one), getattr(has, other)) for has in PAIRWISE} == set(product([True, False], repeat=2))


@pytest.mark.parametrize("visitor", PAIRWISE, ids=str, indirect=True)
def test_list(twin: RunningTwin, visitor: Visitor) -> None:
    """Add, tick and untick, edit, delete: the page shows it, and the database follows."""
    page = visitor.open()
    visitor.sees("empty")
    for task in ("milk", "bread"):
        visitor.add(task)
        expect(tick(page, task)).to_be_visible()
    for key, completed in [("Space", True), ("Enter", False), ("Space", True)]:
        visitor.use(tick(page, "milk"), key)
        expect(tick(page, "milk")).to_be_checked(checked=completed)
        assert [todo[2] for todo in twin.todos_named("milk")] == [completed]

    visitor.use(edit(page, "bread"))
    expect(edited(page)).to_have_value("bread")
    visitor.sees("edited")
    visitor.submit(edited(page), "rye bread", button(page, "Save"))
    expect(button(page, "Delete rye bread")).to_be_visible()
    assert sorted(todo[1] for todo in twin.todos()) == ["milk", "rye bread"]

    visitor.use(button(page, "Delete milk"))
    expect(row(page, "milk")).to_have_count(0)
    assert [todo[1] for todo in twin.todos()] == ["rye bread"]


@pytest.mark.parametrize("visitor", [PAIRWISE[0], PAIRWISE[3]], ids=str, indirect=True)
def test_paging(twin: RunningTwin, visitor: Visitor) -> None:
    """A long list has pages, and an address beyond the last of them leads to the last."""
    count = 2 * PAGE_SIZE + 1
    twin.rows("INSERT INTO todo (task, completed) SELECT 'todo ' || n, false FROM generate_series(1, %s) n", count)
    page = visitor.open()
    older, newer = (page.get_by_role("link", name=name, exact=True) for name in ("Older", "Newer"))
    expect(tick(page, f"todo {count}")).to_be_visible()
    expect(newer).to_have_count(0)
    visitor.sees("long")
    for first in (PAGE_SIZE + 1, 1):
        older.click()
        expect(tick(page, f"todo {first}")).to_be_visible()
    expect(older).to_have_count(0)
    visitor.open("/?page=9999")
    expect(tick(page, "todo 1")).to_be_visible()
    newer.click()
    expect(tick(page, f"todo {PAGE_SIZE + 1}")).to_be_visible()
    expect(tick(page, "todo 1")).to_have_count(0)
