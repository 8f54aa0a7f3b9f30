"""What the README files tell a reader to type does what they say."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.database import execute
from tests.support.up import settings_of
from tests.walkthrough.document import Reader, numbers
from tests.walkthrough.shell import bash
from todo_stack.paths import REPOSITORY
from todo_stack.ports import Ports
from todo_stack.process import Server

FLASK_RESTATE = REPOSITORY / "flask-todo-restate" / "flask-restate"
FLASK_PORT = 5000


def environment(ports: Ports) -> dict[str, str]:
    """Return an environment in which the commands of the documents use these ports."""
    # Under make, a make in a block would speak of the folders that it enters.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return inherited | settings_of(ports)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """Somebody in the repository, with `make up` in another terminal."""
    ports, lines = Ports.free(), list[str]()
    env = environment(ports) | {"TODO_DATA": str(tmp_path / "data")}
    make_up = Server(
        "make up",
        ["/usr/bin/env", "make", "up"],
        env,
        lambda _name, line: lines.append(line),
        lambda: "Ctrl-C stops everything." in lines,
        cwd=REPOSITORY,
        stop_seconds=30,
    )
    try:
        make_up.start()
        with bash(REPOSITORY, env) as shell:
            yield Reader(shell, REPOSITORY, numbers(ports), {"make up": "\n".join(lines)})
    finally:
        make_up.stop()


@pytest.fixture
def newcomer(tmp_path: Path, new_database: str) -> Iterator[Reader]:
    """Somebody with a new Python environment, a copy of flask-restate, a database, and nothing else of ours."""
    ports, venv = Ports.free(), tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    shutil.copytree(FLASK_RESTATE, tmp_path / "flask-restate", ignore=shutil.ignore_patterns("build", "*.egg-info"))
    env = environment(ports) | {
        # Where this machine has no npm, the environment of the tests has it.
        "PATH": os.pathsep.join((str(venv / "bin"), os.environ["PATH"], str(Path(sys.executable).parent))),
        "DATABASE_URL": new_database.replace("postgresql:", "postgresql+psycopg2:"),
        "RESTATE_SERVICE_URL": ports.service_url,
        "PIP_CONSTRAINT": str(REPOSITORY / "constraints.txt"),
        "PIP_QUIET": "2",
        "npm_config_prefer_offline": "true",
    }
    with bash(tmp_path, env) as shell:
        assert shell.run("pip install flask-sqlalchemy psycopg2-binary") == ""
        yield Reader(shell, tmp_path, numbers(ports) | {FLASK_PORT: ports.flask_todo}, containers=False)


@pytest.mark.parametrize("name", ["README.md", "flask-todo-restate/README.md", "flask-todo-restate/ARTICLE.md"])
def test_repository(reader: Reader, name: str) -> None:
    """The commands of the repository's README, and of the Restate twin's, print what stands below them."""
    reader.containers = None if name == "README.md" else False
    reader.follow(REPOSITORY / name)
    assert reader.executed


@pytest.mark.parametrize("name", [".github/CONTRIBUTING.md", "flask-todo/README.md", "flask-todo-restate/DECIDE.md"])
def test_without_a_stack(tmp_path: Path, name: str) -> None:
    """These pages have no commands but those that are left out with a reason, or executed in containers."""
    with bash(tmp_path, os.environ) as shell:
        reader = Reader(shell, tmp_path, {}, containers=False if "flask-todo" in name else None)
        reader.follow(REPOSITORY / name)
    assert reader.executed == 0


def test_take_it_home(newcomer: Reader, new_database: str, tmp_path: Path) -> None:
    """With flask-restate each write is made once, whatever is clicked twice or killed. Taken out, it leaves nothing."""
    there, _, back = (FLASK_RESTATE / "README.md").read_text().partition("\n## The way out\n")
    page, run = tmp_path / "page.md", newcomer.shell.run

    def subscribers() -> list[str]:
        return [email.partition("@")[0] for (email,) in execute(new_database, "SELECT email FROM subscriber")]

    page.write_text(there)
    newcomer.follow(page)
    assert sorted(subscribers()) == ["ada", "bob", "eve"]
    assert "todo" not in run("pip list").lower()
    server = json.loads((REPOSITORY / "flask-todo-restate" / "package.json").read_text())["dependencies"]
    (version,) = server.values()
    assert f"npm install --silent @restatedev/restate-server@{version}\n" in there
    assert f'/restate:{version}"\n' in there

    # Two processes serve, which are made after the first connection to the database.
    run("kill $endpoint; wait $endpoint; RESTATE_SERVICE_WORKERS=2 python endpoint.py >endpoint.log 2>&1 & endpoint=$!")
    subscribe = "curl -s http://127.0.0.1:$FLASK_TODO_PORT/subscribe -d email=%@example.org -d key=%"
    run(f"seq 60 | xargs -P 24 -I% sh -c 'until {subscribe} | grep subscribed; do true; done'")
    assert len(subscribers()) == 63
    run("kill $endpoint; wait $endpoint")

    page.write_text(back)
    newcomer.follow(page)
    assert sorted(subscribers())[60:] == ["ada", "bob", "dan", "eve", "fay", "gus"]
    assert execute(new_database, "SELECT to_regclass('operation')") == [(None,)]
    assert {path.name for path in tmp_path.glob("*.py")} == {
        "app.py",
        "conftest.py",
        "outcomes.py",
        "test_app.py",
        "try_errors.py",
    }
    assert "restate" not in (tmp_path / "app.py").read_text() + run("pip list").lower()


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
