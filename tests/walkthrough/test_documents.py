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
SERVERS = 4
"""The most of a kind that the page about a cluster starts."""


@contextlib.contextmanager
def another_terminal(env: dict[str, str], *make_up: str) -> Iterator[list[str]]:
    """One in which `make up` runs meanwhile; what it prints."""
    lines = list[str]()
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
        yield lines
    finally:
        up.stop()


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """Somebody in the repository, with `make up` in another terminal."""
    ports = Ports.free()
    env = environment(ports) | {"TODO_DATA": str(tmp_path / "data")}
    named = numbers(ports) | {NEXT_VERSION_PORT: Ports.free().restate_service}
    with another_terminal(env, "up") as lines, bash(REPOSITORY, env) as shell:
        yield Reader(shell, REPOSITORY, named, {"make up": "\n".join(lines)})


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
@pytest.mark.timeout(600)
def test_cluster(tmp_path: Path) -> None:
    """The commands of the page about a cluster print what stands below them, with its own starts beside them."""
    page = (REPOSITORY / RESTATE.title / "CLUSTER.md").read_text()
    _, *parts = re.split("^```bash\nmake (up-restate NODES=.*)\n```\n", page, flags=re.MULTILINE)
    ports, part = Ports.free(SERVERS), tmp_path / "part.md"
    env = environment(ports) | {"TODO_DATA": str(tmp_path / "data")}
    with bash(REPOSITORY, env) as shell:
        reader = Reader(shell, REPOSITORY, numbers(ports, SERVERS), containers=False)
        for start, below in zip(parts[::2], parts[1::2], strict=True):
            part.write_text(below)
            executed = reader.executed
            with another_terminal(env, *start.split()):
                reader.follow(part)
            assert reader.executed > executed


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
