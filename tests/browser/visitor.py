"""A person with a browser on a twin's pages, whose browser notes whatever is wrong."""

import re
import shutil
from dataclasses import dataclass, fields
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, Response, ViewportSize, expect

from tests.browser.checks import Checks
from tests.browser.pages import button, new_task
from tests.support.running_twin import RunningTwin
from tests.support.waiting import until

MOST_TABS = 400
"""No page has so many places to stop at."""

LOOKS_AGAIN_MS = 5000
"""How often a page looks whether it has changed."""

PHONE, DESKTOP = ViewportSize(width=360, height=740), ViewportSize(width=1280, height=800)
_IS_TOO_WIDE = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
_HAS_FOCUS = "element => element === document.activeElement"


@dataclass(frozen=True)
class Conditions:
    """What a person has."""

    javascript: bool = True
    phone: bool = False
    dark: bool = False
    keyboard: bool = False

    def __str__(self) -> str:
        """Return them in words."""
        words = {"javascript": "plain", "phone": "desktop", "dark": "light", "keyboard": "mouse"}
        return "-".join(name if getattr(self, name) else other for name, other in words.items())


PAIRWISE = [
    Conditions(javascript=False, phone=False, dark=False, keyboard=False),
    Conditions(javascript=False, phone=True, dark=True, keyboard=True),
    Conditions(javascript=True, phone=False, dark=True, keyboard=True),
    Conditions(javascript=True, phone=True, dark=False, keyboard=True),
    Conditions(javascript=True, phone=True, dark=True, keyboard=False),
]
"""Few conditions in which every pair of two of them occurs."""

CONDITIONS = [field.name for field in fields(Conditions)]


class Visitor:
    """A person with a browser of their own."""

    def __init__(self, browser: Browser, twin: RunningTwin, has: Conditions, checks: Checks, pictures: Path) -> None:
        """Open a window. Pictures of it are put into this folder."""
        self.has, self.url = has, twin.url
        self._checks, self._pictures = checks, pictures
        self.hosts = {"", urlsplit(twin.url).netloc}
        self._problems: list[str] = []
        self._expected: list[str] = []
        self._documents: dict[Page, Response] = {}
        shutil.rmtree(pictures, ignore_errors=True)
        self.context = browser.new_context(
            java_script_enabled=has.javascript,
            viewport=PHONE if has.phone else DESKTOP,
            is_mobile=has.phone,
            has_touch=has.phone,
            color_scheme="dark" if has.dark else "light",
            # What moves is not yet what it will look like.
            reduced_motion="reduce",
        )
        if has.javascript:
            self.context.clock.install()
        self.context.on("console", self._console)
        self.context.on("weberror", lambda error: self._problems.append(f"uncaught: {error.error}"))
        self.context.on("request", self._request)
        self.context.on("requestfailed", self._failed)
        self.context.on("response", self._response)
        self.page = self.context.new_page()

    def open(self, path: str = "/") -> Page:
        """Go to a page of the twin, in the window."""
        self.page.goto(self.url + path)
        return self.page

    def use(self, target: Locator, key: str = "Enter") -> None:
        """Press a button or follow a link: with this key, or with the mouse."""
        if self.has.keyboard:
            self._reach(target)
            self.page.keyboard.press(key)
        else:
            target.click()

    def enter(self, field: Locator, text: str) -> None:
        """Type a text into a field."""
        if self.has.keyboard:
            self._reach(field)
        else:
            field.click()
        field.fill(text)

    def submit(self, field: Locator, text: str, button: Locator) -> None:
        """Type a text into the last field of a form, and submit it: with Enter, or with its button."""
        self.enter(field, text)
        if self.has.keyboard:
            self.page.keyboard.press("Enter")
        else:
            button.click()

    def add(self, task: str) -> None:
        """Submit a new todo."""
        self.submit(new_task(self.page), task, button(self.page, "Add"))

    def waits_for(self, target: Locator) -> None:
        """Wait until the list shows this: by itself, or loaded again where there is no JavaScript."""
        if self.has.javascript:
            # The page looks again every few seconds; its clock need not take as long.
            self.page.clock.fast_forward(LOOKS_AGAIN_MS)
            expect(target).to_be_visible()
        else:
            until(lambda: self.open() and target.is_visible(), str(target))

    def expects(self, *patterns: str) -> None:
        """Take no notice of problems that match one of these, such as a status or the browser's word for an outage."""
        self._expected += patterns

    def sees(self, state: str, page: Page | None = None) -> None:
        """Check the page in this state, and take a picture of it."""
        page = page or self.page
        page.wait_for_load_state("load")
        # axe is JavaScript, and waits for ever where that is off.
        found = self._checks.page(page) if self.has.javascript else []
        if page.evaluate(_IS_TOO_WIDE):
            found.append("the page is wider than the window")
        if document := self._documents.get(page):
            found += self._checks.html(document.text())
        self._problems += [f"{state}: {problem}" for problem in found]
        self.picture(state, page)

    def picture(self, state: str, page: Page | None = None, *, full_page: bool = True) -> Path:
        """Take a picture of the whole page, or of what is in the window, and return its path."""
        number = len(list(self._pictures.glob("*.png"))) + 1
        path = self._pictures / f"{number}-{state.replace(' ', '-')}.png"
        (page or self.page).screenshot(path=path, full_page=full_page)
        return path

    def leave(self, *, failed: bool) -> None:
        """Close the window; keep what is in it if the test has failed, and otherwise check it."""
        try:
            for page in self.context.pages:
                if failed:
                    self.picture("failed", page).with_suffix(".html").write_text(page.content())
                elif page.url.startswith(self.url):
                    self.sees("end", page)
        finally:
            self.context.close()
        found = "\n".join(self.problems())
        if failed and found:
            print(found)
        assert failed or not found, found

    def problems(self) -> list[str]:
        """Return what was wrong and not expected."""
        return [text for text in self._problems if not any(re.search(pattern, text) for pattern in self._expected)]

    def _reach(self, target: Locator) -> None:
        target.wait_for()
        # Found once: a locator would look for it at each step.
        element = target.element_handle()
        for _ in range(MOST_TABS):
            if element.evaluate(_HAS_FOCUS):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"the key Tab does not lead to {target}")

    def _console(self, message: ConsoleMessage) -> None:
        # What could not be loaded is a response, or a request that failed, too.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self._problems.append(f"console: {message.text}")

    def _request(self, request: Request) -> None:
        if urlsplit(request.url).netloc not in self.hosts:
            self._problems.append(f"request to another host: {request.url}")

    def _failed(self, request: Request) -> None:
        # One that is aborted belonged to a page that was left.
        if "ERR_ABORTED" not in (request.failure or ""):
            self._problems.append(f"{request.failure}: {request.method} {request.url}")

    def _response(self, response: Response) -> None:
        request = response.request
        if response.status >= 400:
            self._problems.append(f"status {response.status}: {request.method} {request.url}")
        if request.is_navigation_request() and not 300 <= response.status < 400:
            self._documents[request.frame.page] = response
