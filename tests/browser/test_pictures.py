"""The pictures of both twins for the READMEs, light and dark. `make pictures` keeps them in .github/images."""

import shutil
from typing import Literal

import pytest
from playwright.sync_api import expect

from tests.browser.pages import pending, tick
from tests.browser.visitor import Visitor
from tests.support.running_twin import RunningTwin
from todo_stack.paths import REPOSITORY

KEPT = REPOSITORY / ".github" / "images"
WIDTH, HEIGHT = 760, 560
MOST_BYTES = 100_000
SHADES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def test_pictures(twin: RunningTwin, visitor: Visitor, request: pytest.FixtureRequest) -> None:
    """A list in use, and the moment in which the database is away and a todo is added."""
    visitor.expects("status 503")
    lawn, _, letter = (twin.add(title)["id"] for title in ("Mow the lawn", "Buy milk", "Answer the letter"))
    twin.call("PUT", f"/{lawn}/bounty", json={"amount": 1250, "currency": "EUR"}).raise_for_status()
    twin.call("PATCH", f"/{letter}", json={"completed": True}).raise_for_status()
    page = visitor.open()
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})

    def take(state: str) -> None:
        for shade in SHADES:
            page.emulate_media(color_scheme=shade)
            picture = visitor.picture(f"{state}-{shade}", full_page=False)
            assert picture.stat().st_size < MOST_BYTES
            if request.config.getoption("--pictures"):
                KEPT.mkdir(exist_ok=True)
                shutil.copy(picture, KEPT / f"{twin.which.title}-{state}-{shade}.png")

    expect(tick(page, "Mow the lawn")).to_be_visible()
    take("list")
    twin.stack.servers["db"].kill()
    visitor.add("Call Bob")
    told = pending(page, "Call Bob") if twin.which.durable else page.get_by_role("alert")
    expect(told).to_contain_text("database is not available")
    take("database-away")
    twin.stack.servers["db"].start()
    assert twin.settle() == []
    visitor.open()
