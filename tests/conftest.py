"""Starts both twins once for all tests, and heals after each what it broke."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.browser import Browser
from tests.support.burst import RESULTS
from tests.support.history import Verdict
from tests.support.running_twin import RunningStack, RunningTwin
from todo_stack.ports import Ports
from todo_stack.stack import Stack
from todo_stack.twins import TWINS, Twin


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the bursts of this run came to, as a table that a README can take."""
    if not RESULTS:
        return
    terminalreporter.section("verdicts")
    terminalreporter.write_line("| scenario | twin | " + " | ".join(verdict.value for verdict in Verdict) + " |")
    terminalreporter.write_line("|---|---|" + "--:|" * len(Verdict))
    for scenario, by_twin in RESULTS.items():
        for name, verdicts in by_twin.items():
            counts = " | ".join(str(verdicts[verdict]) for verdict in Verdict)
            terminalreporter.write_line(f"| {scenario} | {name} | {counts} |")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the caller say what the twins run in."""
    parser.addoption(
        "--stack",
        choices=["native", "containers"],
        default="native",
        help="run the twins as processes of this machine, or in containers (then only the tests that use them run)",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Choose the tests that the stack in containers is for."""
    if config.getoption("--stack") == "containers":
        others = [item for item in items if "stack" not in getattr(item, "fixturenames", ())]
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
    with (folder / "servers.log").open("w") as log:

        def write(name: str, line: str) -> None:
            if not log.closed:
                print(f"{name}: {line}", file=log, flush=True)

        with Stack(data=folder / "data", ports=Ports.free(), log=write) as running:
            yield running


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
    which: Twin = request.param
    return RunningTwin(which, stack)


@pytest.fixture
def browser(twin: RunningTwin) -> Iterator[Browser]:
    """A browser without JavaScript on the twin's pages."""
    browser = Browser(twin.url)
    yield browser
    browser.close()


@pytest.fixture
def repository() -> Path:
    """The top of the repository."""
    return Path(__file__).parent.parent
