"""flask-restate's README, followed by somebody who has nothing else of ours."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.database import execute
from tests.walkthrough.document import Reader, environment, numbers
from tests.walkthrough.shell import bash
from todo_stack.paths import REPOSITORY
from todo_stack.ports import Ports

FLASK_RESTATE = REPOSITORY / "flask-todo-restate" / "flask-restate"
FLASK_PORT = 5000


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
    version = server["@restatedev/restate-server"]
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
    left = sorted(path.stem for path in tmp_path.glob("*.py"))
    assert left == ["app", "conftest", "outcomes", "test_app", "try_errors"]
    assert "restate" not in (tmp_path / "app.py").read_text() + run("pip list").lower()
