"""Starts both twins once for all tests, and starts again after each test what it has stopped."""

import contextlib
import signal
from collections.abc import Iterator

import playwright.sync_api
import pytest

from tests.support import chromium as chromium_program
from tests.support import logs
from tests.support.browser import Browser
from tests.support.database import execute
from tests.support.running_twin import RunningStack, RunningTwin, new_key, restate_twin
from todo_stack.database_roles import SUPERUSER
from todo_stack.ports import Ports
from todo_stack.stack import Stack
from todo_stack.twins import PLAIN, TWINS


def pytest_configure() -> None:
    """Let SIGTERM end the tests as Ctrl-C does, in each process, so that their servers are stopped."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the caller say what the twins run in."""
    parser.addoption(
        "--stack",
        choices=["native", "containers"],
        default="native",
        help="run the twins as processes of this machine, or in containers (then only the tests that can use them run)",
    )
    parser.addoption("--pictures", action="store_true", help="put the READMEs' pictures into .github/images, anew")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Choose the tests that a stack in containers is for."""
    if config.getoption("--stack") == "containers":
        fixtures = {item: set(getattr(item, "fixturenames", ())) for item in items}
        others = [item for item in items if "stack" not in fixtures[item] or "native_stack" in fixtures[item]]
        items[:] = [item for item in items if item not in others]
        config.hook.pytest_deselected(items=others)


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """Both twins with their servers, on free ports and data of their own."""
    folder = tmp_path_factory.mktemp("stack")
    if request.config.getoption("--stack") == "containers":
        from tests.containers import engine

        engine.needed()
        # Only now: without the option nobody needs the library.
        from tests.containers.stack import container_stack

        with container_stack(folder) as containers:
            yield containers
        return
    with logs.log_to(folder / logs.FILE) as log:
        native = Stack(data=folder / "data", ports=Ports.free(), log=log, with_outside_world=True)
        with native as running:
            yield running


@pytest.fixture(scope="session")
def native_stack(stack: RunningStack) -> Stack:
    """The same, for tests that need its processes on this machine; in containers they are not run."""
    assert isinstance(stack, Stack)
    return stack


@pytest.fixture(autouse=True)
def healed(request: pytest.FixtureRequest) -> Iterator[None]:
    """Start again what a test has left stopped, so that the next one finds all servers running."""
    yield
    if "stack" in request.fixturenames:
        for server in request.getfixturevalue("stack").servers.values():
            if not server.running:
                server.start()


@pytest.fixture(params=TWINS, ids=str)
def twin(request: pytest.FixtureRequest, stack: RunningStack) -> RunningTwin:
    """Each of the twins in turn."""
    return RunningTwin(request.param, stack)


@pytest.fixture(scope="session")
def durable(stack: RunningStack) -> RunningTwin:
    """The Restate twin."""
    return restate_twin(stack)


@pytest.fixture
def new_database(stack: RunningStack) -> Iterator[str]:
    """The address of a new, empty database, whose name has what a URL must quote."""
    address, name = stack.database_url(PLAIN, SUPERUSER), f"new {new_key()}"
    execute(address, f'CREATE DATABASE "{name}"')
    yield address.rpartition("/")[0] + "/" + name.replace(" ", "%20")
    execute(address, f'DROP DATABASE "{name}" WITH (FORCE)')


def started_chromium() -> Iterator[playwright.sync_api.Browser]:
    """A headless Chromium."""
    with contextlib.ExitStack() as until_the_end:
        try:
            browser = until_the_end.enter_context(chromium_program.started())
        except playwright.sync_api.Error:
            pytest.skip(chromium_program.NEEDED)
        yield browser


chromium = pytest.fixture(started_chromium, scope="module", name="chromium")


@pytest.fixture
def browser(twin: RunningTwin) -> Iterator[Browser]:
    """A browser without JavaScript on the twin's pages."""
    browser = Browser(twin.url)
    yield browser
    browser.close()


@pytest.fixture
def mine(durable: RunningTwin) -> Iterator[Browser]:
    """A browser on the Restate twin, that has made promises to nobody."""
    with contextlib.closing(Browser(durable.url)) as browser:
        assert durable.settle() == []
        yield browser
