"""Ten stories in Chromium by clicking; the page's count is compared with SELECTs of the tests' own."""

import contextlib
import shutil
import sqlite3
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.faultlab.live.conftest import LabPage, Open
from tests.faultlab.live.side import Side
from tests.faultlab.live.stories import STORIES
from tests.support.database import execute
from tests.support.history import Outcome
from tests.support.waiting import until
from todo_stack.paths import REPOSITORY

KEPT = REPOSITORY / ".github" / "images" / "lab.png"
MOST_BYTES = 150_000

_IN_DATABASE = {
    "add": "SELECT count(*) FROM todo WHERE task = %s",
    "update": "SELECT count(*) FROM todo WHERE task = %s",
    "pay": "SELECT count(*) FROM payment WHERE todo_id = %s AND status = 'paid'",
    "tell": "SELECT count(*) FROM todo WHERE id = %s AND completed",
    "plan": "SELECT count(*) FROM meeting WHERE todo_id = %s AND status = 'planned'",
    "remind": "SELECT count(*) FROM reminder WHERE todo_id = %s AND sent_at IS NOT NULL",
}
_OUTSIDE = {
    "pay": ("payments", "paid"),
    "tell": ("hooks", "received"),
    "plan": ("calendar", "booked"),
    "remind": ("mail", "sent"),
}


def counted(side: Side) -> list[str]:
    """Return what the page must show of the one operation of a story."""
    (operation,) = side.operations
    known_by = operation.marker if operation.kind in ("add", "update") else operation.todo_id
    ((in_database,),) = execute(side.lab.stack.database_url(side.lab.which), _IN_DATABASE[operation.kind], known_by)
    outside = ""
    if operation.kind in _OUTSIDE:
        reference = f"{side.key}/{operation.todo_id}"
        outside = str(effects(side.lab.stack.data, *_OUTSIDE[operation.kind], reference))
    worked = operation.outcome in (Outcome.OK, Outcome.PENDING)
    return [operation.kind, "1", str(int(worked)), str(in_database), outside]


def effects(data: Path, *of: str) -> int:
    """Count what a receiver of the outside world did, in its own database."""
    with contextlib.closing(sqlite3.connect(data / "outside_world.sqlite")) as world:
        query = "SELECT count(*) FROM effect WHERE receiver = ? AND what = ? AND reference = ?"
        number: int = world.execute(query, of).fetchone()[0]
        return number


@pytest.mark.parametrize("name", STORIES)
def test_story(page: LabPage, name: str) -> None:
    """Each story ends in the verdicts that are predicted, and the page counts what is there."""
    story, ends = STORIES[name], []
    expect(page.page.locator(".means")).to_be_hidden()
    page.tell(name)
    expect(page.page.locator(".means")).to_contain_text(story.means)
    for twin, side in page.lab.sides.items():
        end = story.expected(side.lab.which)
        ends.append(end.verdict.value)
        expect(page.half(twin).locator(".because")).to_have_text(end.because)
        assert until(lambda twin=twin: page.end(twin), "the verdict") == {end.verdict.value: 1}  # type: ignore[misc]
        assert page.half(twin).locator(".counted tbody td").all_inner_texts() == counted(side)
    expect(page.page.locator(".tally .bad:visible")).to_have_count(sum(end.isupper() for end in ends))


def test_picture(open_page: Open, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """The picture for the README: the card is charged, and the process has died."""
    if not request.config.getoption("--pictures"):
        pytest.skip("make pictures takes it")
    page = open_page(viewport={"width": 1588, "height": 1000})
    page.tell("card-charged")
    expect(page.score("plain").locator("[data-verdict=STUCK]")).to_be_visible()
    expect(page.score("restate").locator("[data-verdict='exactly once']")).to_be_visible()
    page.page.mouse.move(0, 0)
    main, last = page.page.locator("main").bounding_box(), page.page.locator(".ticker").last.bounding_box()
    assert main
    assert last
    picture, around = tmp_path / KEPT.name, 12
    left, top, bottom = main["x"] - around, main["y"] - around, last["y"] + last["height"] + around
    page.page.screenshot(
        path=picture, clip={"x": left, "y": top, "width": main["width"] + 2 * around, "height": bottom - top}
    )
    assert picture.stat().st_size < MOST_BYTES
    shutil.copy(picture, KEPT)
