"""What the page does in a browser: a cell opens, and its events are drawn."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.faultlab.laboratory import PROCESSES
from tests.faultlab.picture.made_up import made_up_run
from tests.faultlab.picture.page import render
from todo_stack.twins import twin_named

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
RUN = made_up_run(2, as_expected=False)


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    """The page in a headless Chromium; an error of a script or a request to another host fails the test."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    (tmp_path / "compare.html").write_text(render(RUN), encoding="utf-8")
    errors: list[str] = []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = chromium.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: errors.append(request.url) if request.url.startswith("http") else None)
        page.goto((tmp_path / "compare.html").as_uri())
        yield page
        chromium.close()
    assert not errors


def test_opening_a_cell(page: Page) -> None:
    """A cell opens by its address and shows the events, what was told, and the command."""
    cell = RUN.unexpected[0]
    page.goto(f"{page.url}#{cell.anchor}")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(cell.because)
    expect(dialog).to_contain_text(f"the rules predicted {cell.expected.value}")
    expect(dialog.locator("code")).to_have_text(cell.command)
    drawing = dialog.locator("svg")
    for text in ("POST /add", "</script> COMMIT held", "SIGKILL web", "row stalled", "row let go", "row dropped"):
        expect(drawing).to_contain_text(text)
    for text in ("row cut off", "row: nobody there", "answer to POST /add", "web started again", "power cut"):
        expect(drawing).to_contain_text(text)
    expect(drawing).to_contain_text(f"({cell.answers[0].detail})")
    # All processes were gone in the power cut, and the web once before.
    expect(drawing.locator(".gone")).to_have_count(len(PROCESSES[twin_named(cell.twin)]) + 1)


def test_keyboard(page: Page) -> None:
    """Arrows lead from cell to cell, and the one that was open last has the focus when it is closed."""
    links = page.locator(".map td a")
    links.nth(0).click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("ArrowRight")
    second = links.nth(1)
    assert page.evaluate("location.hash") == second.get_attribute("href")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(second).to_be_focused()


def test_filter(page: Page) -> None:
    """One verdict can be shown alone in the map."""
    page.get_by_role("button", name="LOST").click()
    assert page.locator(".map td.chosen").count() == sum(cell.verdict.value == "LOST" for cell in RUN.cells)
    page.get_by_role("button", name="LOST").click()
    expect(page.locator("body.filtered")).to_have_count(0)


def test_each_cell_can_be_drawn(page: Page) -> None:
    """No cell has events that the page cannot draw."""
    drawn = page.evaluate("""async () => {
        const drawn = {};
        for (const link of document.querySelectorAll(".map td a")) {
            const opened = new Promise((done) => addEventListener("hashchange", done, { once: true }));
            location.hash = link.hash;
            await opened;
            const command = document.querySelector("#cell-body code").textContent;
            drawn[command] = document.querySelectorAll(".story tr").length;
        }
        return drawn;
    }""")
    assert drawn.keys() == {cell.command for cell in RUN.cells}
    assert min(drawn.values()) > len(RUN.cells[0].events)
