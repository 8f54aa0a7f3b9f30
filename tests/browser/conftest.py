"""People with a real browser; whatever is wrong with a page that they have seen fails the test."""

import re
from collections.abc import Callable, Generator, Iterator

import playwright.sync_api
import pytest

from tests.browser.checks import Checks
from tests.browser.visitor import Conditions, Visitor
from tests.conftest import started_chromium
from tests.support.database import execute
from tests.support.running_twin import RunningTwin
from todo_stack.database_roles import SUPERUSER
from todo_stack.paths import REPOSITORY

# As everywhere, a server may be slow on a busy machine.
playwright.sync_api.expect.set_options(timeout=20_000)

PICTURES = REPOSITORY / ".data" / "browser"
"""Where the pictures of all states are."""

_FAILED = pytest.StashKey[bool]()

Visit = Callable[[Conditions], Visitor]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep in mind that a test has failed, for its fixtures."""
    report = yield
    if call.when == "call":
        item.stash[_FAILED] = report.failed
    return report


# One for all of these files: in other folders, tests use the event loop that it would keep busy.
chromium = pytest.fixture(started_chromium, scope="package", name="chromium")


@pytest.fixture(scope="package")
def checks() -> Iterator[Checks]:
    """What a page is checked for."""
    checks = Checks()
    yield checks
    checks.close()


@pytest.fixture
def visit(
    twin: RunningTwin, chromium: playwright.sync_api.Browser, checks: Checks, request: pytest.FixtureRequest
) -> Iterator[Visit]:
    """Let somebody visit the twin, whose list is empty at first. At the end, all pages that are open are checked."""
    # A todo that another test has paid for is kept, unless its payment is gone.
    execute(twin.stack.database_url(twin.which, SUPERUSER), "DELETE FROM payment")
    twin.call("DELETE").raise_for_status()
    folder = PICTURES / re.sub(r"[^\w.-]+", "_", request.node.name)
    visitors: list[Visitor] = []

    def visitor(has: Conditions) -> Visitor:
        visitors.append(Visitor(chromium, twin, has, checks, folder / str(len(visitors) + 1)))
        return visitors[-1]

    yield visitor
    for one in visitors:
        one.leave(failed=request.node.stash.get(_FAILED, True))


@pytest.fixture
def visitor(visit: Visit, request: pytest.FixtureRequest) -> Visitor:
    """Somebody with JavaScript, a mouse and a large screen, or with what the test asks for as the parameter."""
    return visit(getattr(request, "param", Conditions()))
