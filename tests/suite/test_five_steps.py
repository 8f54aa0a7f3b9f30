"""The five steps of flask-restate's README, done to its ten-line application, in a fresh environment."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.support.database import execute
from tests.support.logs import no_log
from todo_stack import restate as restate_server
from todo_stack.applications import REPOSITORY
from todo_stack.checks import tcp_open
from todo_stack.ports import Ports
from todo_stack.process import Server

PACKAGE = REPOSITORY / "flask-todo-restate" / "flask-restate"
README = (PACKAGE / "README.md").read_text()
FILE = re.compile(r"<!-- file (\S+) -->\n```python\n(.*?)```", re.DOTALL)
CHANGE = re.compile(r'<!-- app\.py (?:before|from) "(.*?)"(?: to "(.*?)")? -->\n```python\n(.*?)```', re.DOTALL)


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """The Python of a new environment with flask-restate, what a reader has beside it, and nothing else of ours."""
    folder = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(folder), "--quiet", "--disable-pip-version-check"]
    wanted = ["-c", "constraints.txt", str(PACKAGE), "flask-sqlalchemy", "psycopg2-binary"]
    subprocess.run([*pip, "install", "--no-compile", *wanted], cwd=REPOSITORY, check=True)
    return folder / "bin" / "python"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The README's files after its five steps."""
    files = dict(FILE.findall(README))
    for first, last, code in CHANGE.findall(README):
        before, line, after = files["app.py"].partition(first)
        assert line, f"app.py has no line with {first}"
        if last:
            after = after.partition(last)[2].partition("\n")[2]
            line = ""
        files["app.py"] = before + code + line + after
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return tmp_path


class Application:
    """The reader's application with its servers, as the README starts them."""

    def __init__(self, python: Path, folder: Path, database_url: str) -> None:
        ports = Ports.free()
        self._env = {
            "PATH": os.environ["PATH"],
            "DATABASE_URL": database_url.replace("postgresql:", "postgresql+psycopg2:"),
            "RESTATE_SERVICE_PORT": str(ports.restate_service),
            "RESTATE_SERVICE_WORKERS": "2",
            "RESTATE_SERVICE_URL": ports.service_url,
            "RESTATE_ADMIN_URL": ports.admin_url,
            "RESTATE_ENDPOINT": ports.ingress_url,
        }
        self._python, self._folder = str(python), folder
        self.run("-m", "flask_restate", "identity", "identity.pem", "identity.pub")
        self._env["RESTATE_IDENTITY_KEY"] = (folder / "identity.pub").read_text()
        restate = restate_server.server(folder / "restate", folder / "identity.pem", ports, {}, no_log)
        flask = ["-m", "flask", "run", "--port", str(ports.flask_todo)]
        self.endpoint = self._server("endpoint", ["endpoint.py"], ports.restate_service)
        self.servers = [restate, self.endpoint, self._server("web", flask, ports.flask_todo)]
        self._url = f"http://127.0.0.1:{ports.flask_todo}/subscribe"

    def run(self, *command: str) -> None:
        """Run a command of the README."""
        subprocess.run([self._python, *command], cwd=self._folder, env=self._env, check=True)

    def subscribe(self, email: str, key: str) -> requests.Response:
        """Submit the form."""
        return requests.post(self._url, data={"email": email, "key": key}, timeout=10)

    def _server(self, name: str, command: list[str], port: int) -> Server:
        return Server(name, [self._python, *command], self._env, no_log, tcp_open(port), cwd=self._folder)


@pytest.fixture
def application(python: Path, folder: Path, new_database: str) -> Iterator[Application]:
    """The application, running after the five steps."""
    application = Application(python, folder, new_database)
    try:
        for server in application.servers:
            server.start()
        application.run("-m", "flask_restate", "register")
        yield application
    finally:
        for server in application.servers:
            server.kill()


def test_five_steps(python: Path, application: Application, new_database: str) -> None:
    """After the README's five steps each write is made once, whatever is clicked twice, taken or killed."""
    listing = "import importlib.metadata as m; print(*(one.name for one in m.distributions()))"
    installed = subprocess.run([python, "-c", listing], capture_output=True, text=True, check=True).stdout
    assert "flask-restate" in installed
    assert "todo" not in installed.lower()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: application.subscribe("ada@example.org", "one"), range(4)))
    assert [answer.text for answer in answers] == ["subscribed\n"] * 4
    assert application.subscribe("ada@example.org", "two").status_code == 409

    # Two processes serve, which were made after the first connection to the database.
    many = sorted(f"{number}@example.org" for number in range(60))
    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda email: application.subscribe(email, email), many))
    assert [answer.text for answer in answers] == ["subscribed\n"] * len(many)

    application.endpoint.kill()
    pending = application.subscribe("bob@example.org", "three")
    assert (pending.status_code, pending.json()["status"]) == (202, "pending")
    application.endpoint.start()
    assert application.subscribe("bob@example.org", "three").text == "subscribed\n"
    subscribers = [email for (email,) in execute(new_database, "SELECT email FROM subscriber")]
    assert sorted(subscribers) == sorted(["ada@example.org", "bob@example.org", *many])
