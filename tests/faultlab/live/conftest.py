"""A lab of the tests' own process, so that they can count in its databases, and its page in Chromium."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.checks import Checks
from tests.faultlab.live.lab import Lab
from tests.faultlab.live.script import TOKEN
from tests.faultlab.live.stories import STORIES
from tests.faultlab.live.web import served
from todo_stack.output import no_log
from todo_stack.ports import HOST

STORY_MS = 90_000
"""The longest has a power cut, and a reminder that must be waited for."""


@dataclass(frozen=True)
class LabPage:
    """The page of a lab, as somebody sees it."""

    page: Page
    lab: Lab
    url: str

    @property
    def start(self) -> Locator:
        """The button that starts the story."""
        return self.page.locator("#tell")

    def score(self, twin: str) -> Locator:
        """Return the verdicts and the price of a twin."""
        return self.page.locator(f".score[data-side={twin}]")

    def half(self, twin: str) -> Locator:
        """Return the drawing of a twin, with its count, its operations and what can be done to it."""
        return self.page.locator(f".half[data-side={twin}]")

    def process(self, twin: str, name: str) -> Locator:
        """Return a process in the drawing of a twin."""
        return self.half(twin).locator(".process", has_text=name)

    def verdicts(self, twin: str) -> dict[str, int]:
        """Return the verdicts that a twin's score shows, with their numbers, all at one moment."""
        shown = self.score(twin).locator("[data-verdict]:visible:has(b)")
        numbered = "one => [one.dataset.verdict, +one.querySelector('b').innerText]"
        return dict(shown.evaluate_all(f"all => all.map({numbered})"))

    def end(self, twin: str) -> dict[str, int]:
        """Return the verdicts if nothing goes on. An operation that is told more does so until it is counted again."""
        shown = self.verdicts(twin)
        return {} if "goes on" in shown else shown

    def tell(self, name: str) -> None:
        """Tell a story by clicking, to its end in both twins."""
        self.page.get_by_role("link", name=STORIES[name].title).click()
        expect(self.page.get_by_role("heading", name=STORIES[name].title)).to_be_visible()
        self.start.click()
        for twin in self.lab.sides:
            counted = self.half(twin).locator("[data-phase=counted]")
            expect(counted).to_have_attribute("aria-current", "step", timeout=STORY_MS)
        expect(self.start).to_be_enabled()


Open = Callable[..., LabPage]


@pytest.fixture(scope="package")
def served_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lab, str]]:
    """A lab that looks at nothing for long, and the address of its page."""
    with (
        Lab(tmp_path_factory.mktemp("lab"), no_log, 0, threading.Event()) as lab,
        socket.create_server((HOST, 0)) as listener,
        served(lab, TOKEN, listener),
    ):
        yield lab, f"http://{HOST}:{listener.getsockname()[1]}/"


@pytest.fixture(scope="module")
def checks() -> Iterator[Checks]:
    """What a page is checked for."""
    with contextlib.closing(Checks()) as checks:
        yield checks


@pytest.fixture
def open_page(served_lab: tuple[Lab, str], chromium: Browser) -> Iterator[Open]:
    """Open the page of a lab in which nothing has happened, in windows of any kind; nothing may go wrong in it."""
    lab, url = served_lab
    lab.reset()
    problems: list[str] = []
    with contextlib.ExitStack() as windows:

        def opened(address: str = f"?token={TOKEN}", **window: object) -> LabPage:
            wanted: Any = {"viewport": {"width": 1280, "height": 800}, **window}
            context = windows.enter_context(contextlib.closing(chromium.new_context(**wanted)))
            context.on("weberror", lambda error: problems.append(str(error.error)))
            context.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
            page = context.new_page()
            page.goto(url + address)
            expect(page.locator(".process").first).to_be_attached(timeout=STORY_MS)
            return LabPage(page, lab, url)

        yield opened
    # What the lab refuses is an error to the browser, too, and shown.
    assert [problem for problem in problems if "409" not in problem and "403" not in problem] == []


@pytest.fixture
def page(open_page: Open) -> LabPage:
    """The page, opened with the token on a large screen."""
    return open_page()
