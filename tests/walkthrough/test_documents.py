"""What the README files tell a reader to type does what they say."""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.walkthrough.document import Reader, environment, numbers
from tests.walkthrough.shell import bash
from todo_stack.paths import REPOSITORY
from todo_stack.ports import Ports
from todo_stack.process import Server
from todo_stack.twins import RESTATE

NEXT_VERSION_PORT = 9081


@contextlib.contextmanager
def in_the_repository(folder: Path, *make_up: str, servers: int = 1) -> Iterator[Reader]:
    """Somebody in the repository, with `make up` in another terminal, which starts so many servers of a kind."""
    ports, lines = Ports.free(servers), list[str]()
    env = environment(ports) | {"TODO_DATA": str(folder / "data")}
    up = Server(
        "make up",
        ["/usr/bin/env", "make", *make_up],
        env,
        lambda _name, line: lines.append(line),
        lambda: "Ctrl-C stops everything." in lines,
        cwd=REPOSITORY,
        stop_seconds=30,
    )
    try:
        up.start()
        named = numbers(ports, servers) | {NEXT_VERSION_PORT: Ports.free().restate_service}
        with bash(REPOSITORY, env) as shell:
            yield Reader(shell, REPOSITORY, named, {"make up": "\n".join(lines)})
    finally:
        up.stop()


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """Somebody in the repository, with `make up` in another terminal."""
    with in_the_repository(tmp_path, "up") as somebody:
        yield somebody


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        f"{RESTATE.title}/ARTICLE.md",
        pytest.param(f"{RESTATE.title}/OPERATIONS.md", marks=pytest.mark.whole),
    ],
)
def test_repository(reader: Reader, name: str) -> None:
    """The commands of the repository's README, and of the Restate twin's pages, print what stands below them."""
    reader.containers = None if name == "README.md" else False
    reader.follow(REPOSITORY / name)
    assert reader.executed


@pytest.mark.whole
def test_cluster(tmp_path: Path) -> None:
    """The commands of the page about a cluster print what stands below them, with its own start in another terminal."""
    page = REPOSITORY / RESTATE.title / "CLUSTER.md"
    (start,) = re.findall("^make (up-restate NODES=.*)$", page.read_text(), re.MULTILINE)
    with in_the_repository(tmp_path, *start.split(), servers=3) as reader:
        reader.containers = False
        reader.follow(page)
    assert reader.executed


@pytest.mark.parametrize(
    "name",
    [
        ".github/CONTRIBUTING.md",
        *(f"flask-todo{page}.md" for page in ("/README", "-restate/README", "-restate/DECIDE")),
    ],
)
def test_without_a_stack(tmp_path: Path, name: str) -> None:
    """These pages have no commands but those that are left out with a reason, or executed in containers."""
    with bash(tmp_path, os.environ) as shell:
        reader = Reader(shell, tmp_path, {}, containers=False if "flask-todo" in name else None)
        reader.follow(REPOSITORY / name)
    assert reader.executed == 0


@pytest.mark.parametrize(
    ("page", "complaint"),
    [
        ("```bash\necho 41\n```\n\n```text\n42\n```\n", "line 1, .*\nprinted:\n41\n\nthe page shows:\n42\n"),
        ("```bash\necho 42\n```\n", "printed:\n42\n"),
        ("```bash\nmake test\n```\n```text\n42\n```\n", "nobody compares this output"),
        ("```\necho 42\n```\n", "nobody knows what to do"),
        (" ```bash\n echo 42\n ```\n", "start of a line"),
        ("Type:\n\n        echo 42\n", "no language"),
        ("~~~bash\necho 42\n~~~\n", "no language"),
        ("<!-- not executed: -->\n```bash\necho 42\n```\n", "nobody knows what to do"),
        ("<!-- in containers -->\n```bash\necho 42\n```\n", "nobody executes the containers"),
        ("```bash\necho 42\n```\n```text\n...\n```\n", "says nothing"),
        ("```bash\nmake test; echo 42\n```\n", "printed:"),
    ],
)
def test_page_that_is_wrong(tmp_path: Path, page: str, complaint: str) -> None:
    """A page fails if it shows another output than its command has, or has a command that nobody would execute."""
    (tmp_path / "page.md").write_text(page)
    with bash(tmp_path, os.environ) as shell, pytest.raises(AssertionError, match=complaint):
        Reader(shell, tmp_path, {}).follow(tmp_path / "page.md")
