"""What people can do on the page of the live lab, with a mouse, a keyboard or a phone."""

import re
from typing import Any

import pytest
import requests
from playwright.sync_api import Route, expect

from tests.browser.checks import Checks
from tests.faultlab.live import side
from tests.faultlab.live.conftest import LabPage, Open
from tests.faultlab.live.script import TIMEOUT_SECONDS, TOKEN
from tests.support.waiting import until

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True, "color_scheme": "dark"}
_TOO_WIDE = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


def add(page: LabPage, number: int = 1) -> None:
    """Let the customer add todos, and wait until both twins have them exactly once."""
    for _ in range(number):
        page.page.get_by_role("button", name="Add a todo", exact=True).click()
    for twin in page.lab.sides:
        until(lambda twin=twin: page.verdicts(twin) == {"exactly once": number}, f"the todos of {twin}")  # type: ignore[misc]


def test_address_of_a_story(open_page: Open) -> None:
    """An address opens its story, ready to be started with Enter; it does not start by itself."""
    page = open_page(f"?token={TOKEN}#half-a-meeting")
    expect(page.page.get_by_role("heading", name="Half a meeting", exact=True)).to_be_visible()
    expect(page.start).to_be_focused()
    expect(page.page.locator("#stories [aria-current]")).to_contain_text("Half a meeting")
    assert page.lab.state()["story"] is None


def test_keys(page: LabPage) -> None:
    """Keys choose the next story, heal and reset, and are letters where somebody types."""
    page.page.keyboard.press("s")
    expect(page.page.get_by_role("heading", name="The process dies before COMMIT", exact=True)).to_be_visible()
    expect(page.start).to_be_focused()
    add(page)
    page.lab.sides["plain"].servers.do("web", "kill")
    expect(page.process("plain", "Flask")).to_have_attribute("data-state", "is down")
    page.page.get_by_label("Seed").press("h")
    page.page.get_by_label("Seed").press("r")
    expect(page.process("plain", "Flask")).to_have_attribute("data-state", "is down")
    page.page.get_by_label("Seed").blur()
    page.page.keyboard.press("h")
    expect(page.process("plain", "Flask")).to_have_attribute("data-state", "runs")
    assert page.verdicts("plain") == {"exactly once": 1}
    page.page.keyboard.press("r")
    expect(page.score("plain")).to_contain_text("nothing asked yet")


def test_only_looks(open_page: Open) -> None:
    """Without the token the page shows everything, can do nothing, and says why and how to get it."""
    page = open_page("#card-charged")
    expect(page.page.get_by_text("You only look.").first).to_be_visible()
    expect(page.page.get_by_text("make lab").first).to_be_visible()
    expect(page.start).not_to_be_focused()
    expect(page.start).to_be_disabled()
    page.start.click(force=True)
    expect(page.page.locator("#trouble")).to_contain_text("needs the token")
    page.page.keyboard.press("r")
    page.lab.operate("plain", "add", again=False)
    expect(page.half("plain").locator(".operations")).to_contain_text("exactly once")
    page.half("plain").locator(".operations button").click()
    expect(page.page.get_by_role("dialog")).to_contain_text("COMMIT")
    assert page.lab.state()["story"] is None


def test_processes(page: LabPage) -> None:
    """A server that is killed or frozen is shown so, in words too; the switch sends it to both twins."""
    half = page.half("restate")
    half.get_by_text("by hand").click()
    half.get_by_role("button", name="freeze Service", exact=True).click()
    expect(page.process("restate", "Service")).to_contain_text("is frozen")
    half.get_by_role("button", name="start Service", exact=True).click()
    expect(page.process("restate", "Service")).not_to_contain_text("is")
    half.get_by_label("the same in both twins").check()
    half.get_by_role("button", name="kill -9 Flask", exact=True).click()
    for twin in page.lab.sides:
        expect(page.process(twin, "Flask")).to_contain_text("is down")
        expect(page.half(twin).get_by_role("img")).to_have_accessible_name(re.compile("web is down"))
    half.get_by_role("button", name="kill -9 Flask", exact=True).click()
    expect(page.page.locator("#trouble")).to_contain_text("does not run")


def test_messages(page: LabPage) -> None:
    """A message that is armed stands still in the drawing until it is passed."""
    half = page.half("plain")
    half.get_by_text("by hand").click()
    half.get_by_label("The next").select_option("committed")
    half.locator("[name=fate]").select_option("delay")
    expect(half.get_by_role("spinbutton")).to_be_visible()
    half.locator("[name=fate]").select_option("hold")
    expect(half.get_by_role("spinbutton")).to_be_hidden()
    half.get_by_role("button", name="Arm", exact=True).click()
    expect(half.locator(".armed")).to_contain_text("committed: waited for")
    page.page.get_by_role("button", name="Add a todo", exact=True).click()
    expect(half.locator(".standing")).to_contain_text("COMMIT held")
    expect(half.locator(".armed")).to_contain_text("committed is held: COMMIT")
    expect(half.locator(".counted tbody")).to_have_text(re.compile(r"add\s*1\s*0\s*1"))
    half.get_by_role("button", name="pass what is held", exact=True).click()
    expect(half.locator(".standing")).to_have_count(0)
    expect(half.locator(".operations")).to_contain_text("exactly once")
    expect(half.locator(".armed")).to_be_hidden()


def test_customer(page: LabPage) -> None:
    """The customer asks for each kind in both twins, and a stream goes on until it is ended."""
    kinds = page.page.locator("[name=kind]").all()
    for kind in kinds:
        kind.click()
    for twin in page.lab.sides:
        expect(page.half(twin).locator(".counted tbody tr")).to_have_count(len(kinds))
    stream = page.page.get_by_label("A steady stream")
    stream.fill("20")
    expect(page.page.locator("#rate-shown")).to_have_text("20 a second")
    until(lambda: page.verdicts("restate").get("exactly once", 0) > len(kinds), "the stream")
    stream.fill("0")
    until(lambda: page.lab.state()["stream"]["rate"] == 0, "its end")
    expect(page.score("plain").locator(".price")).to_contain_text("in a minute")


def test_stream_ends_where_no_more_is_counted(page: LabPage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is counted is kept, so it is bounded: then the stream ends, the page says why, and reset makes room."""
    monkeypatch.setattr(side, "MOST_OPERATIONS", 3)
    page.lab.stream(20, "add")
    expect(page.page.locator("#trouble")).to_have_text(re.compile("the stream has ended: 3 operations are counted"))
    assert page.lab.state()["stream"]["rate"] == 0
    # Those that were begun together each found room.
    assert all(len(one.operations) <= 3 + side.MOST_UNANSWERED for one in page.lab.sides.values())
    page.page.get_by_role("button", name="Add a todo", exact=True).click()
    expect(page.page.locator("#trouble")).to_have_text(re.compile("^3 operations are counted"))
    # What else happens does not bring the older complaint back.
    page.lab.sides["plain"].arms.arm("COMMIT", "hold", 1)
    expect(page.half("plain").locator(".armed")).to_contain_text("COMMIT")
    expect(page.page.locator("#trouble")).to_have_text(re.compile("^3 operations are counted"))
    page.page.locator("[data-order=reset]").click()
    add(page)


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_traffic(open_page: Open, motion: str) -> None:
    """Links light up when messages pass; where motion is not wanted, nothing travels."""
    page = open_page(reduced_motion=motion)
    page.lab.stream(20, "add")
    for twin in page.lab.sides:
        expect(page.half(twin).locator(".link.lit").first).to_be_attached()
    travelling = page.page.locator(".dot").first
    expect(travelling).to_be_attached(attached=motion == "no-preference")


def test_history(page: LabPage) -> None:
    """An operation opens its history: each message with its time, and what the client was told; Escape closes it."""
    add(page)
    operation = page.half("restate").locator(".operations button")
    operation.focus()
    page.page.keyboard.press("Enter")
    dialog = page.page.get_by_role("dialog", name="add: exactly once", exact=True)
    expect(dialog).to_be_visible()
    rows = [row.inner_text() for row in dialog.locator("tbody tr").all()]
    assert rows[0].startswith("0.0\tclient to web\t→ POST /api/todos")
    assert any("service to database" in row and "COMMIT" in row for row in rows)
    assert any("is told" in row and "ok (201)" in row for row in rows)
    page.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(operation).to_be_focused()


def test_chaos(page: LabPage) -> None:
    """Chaos has the seed that was typed; meanwhile the page says why nothing else can begin, and the customer can."""
    page.page.get_by_label("Seed").fill("7")
    asked: list[Any] = []

    def shorten(route: Route) -> None:
        asked.append(route.request.post_data_json)
        route.continue_(post_data={**asked[0], "seconds": 1})

    page.page.route("**/api/chaos", shorten)
    page.page.get_by_role("button", name="Chaos for 60 s", exact=True).click()
    expect(page.page.get_by_role("heading", name="Chaos, seed 7", exact=True)).to_be_visible()
    expect(page.page.locator("#busy")).to_contain_text("goes on: wait")
    expect(page.start).to_be_disabled()
    expect(page.page.get_by_role("button", name="Add a todo", exact=True)).to_be_enabled()
    expect(page.start).to_be_enabled()
    assert asked == [{"seconds": 60, "seed": 7}]


def test_lab_that_has_ended(page: LabPage) -> None:
    """The page says that the lab has ended, or does not answer, and goes on by itself when it is there again."""
    ended = "retry: 50\nevent: ended\ndata: 0\n\n"
    page.page.route("**/api/events", lambda route: route.fulfill(body=ended, content_type="text/event-stream"))
    page.page.reload()
    notice = page.page.locator("#connection")
    expect(notice).to_contain_text("The lab has ended")
    page.page.unroute_all()
    expect(notice).to_be_hidden()
    expect(page.process("plain", "Flask")).to_be_visible()


@pytest.mark.parametrize("window", [{}, PHONE], ids=["desktop", "phone"])
def test_accessible(open_page: Open, checks: Checks, window: dict[str, object]) -> None:
    """With something broken, held and counted, in light and dark, axe finds nothing, and nothing is too wide."""
    page = open_page(**window)
    html = requests.get(page.url, timeout=TIMEOUT_SECONDS).text
    assert checks.html(html) == []
    page.page.locator("details").evaluate_all("all => all.forEach(details => { details.open = true })")
    page.lab.sides["plain"].arms.arm("response", "reset", 1)
    page.lab.operate("both", "add", again=True)
    until(lambda: page.verdicts("plain") == {"DUPLICATED": 1}, "two todos")
    page.lab.sides["restate"].servers.do("service", "freeze")
    page.lab.sides["plain"].arms.arm("COMMIT", "hold", 1)
    page.lab.operate("plain", "add", again=False)
    expect(page.half("plain").locator(".standing")).to_be_visible()
    expect(page.process("restate", "Service")).to_contain_text("is frozen")
    assert checks.page(page.page) == []
    assert not page.page.evaluate(_TOO_WIDE)
    page.half("plain").locator(".operations button").last.click()
    expect(page.page.get_by_role("dialog")).to_contain_text("reset")
    assert checks.page(page.page) == []
    assert not page.page.evaluate(_TOO_WIDE)
