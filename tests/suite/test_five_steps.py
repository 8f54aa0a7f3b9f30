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
from todo_stack import restate as restate_server
from todo_stack.applications import REPOSITORY
from todo_stack.checks import Check, tcp_open
from todo_stack.ports import Ports
from todo_stack.process import Server
from todo_stack.stack import Stack
from todo_stack.twins import RESTATE

PACKAGE = REPOSITORY / "flask-todo-restate" / "flask-restate"
README = (PACKAGE / "README.md").read_text()
FILE = re.compile(r"<!-- file (\S+) -->\n```python\n(.*?)```", re.DOTALL)
CHANGE = re.compile(r'<!-- app\.py (?:before|from) "(.*?)"(?: to "(.*?)")? -->\n```python\n(.*?)```', re.DOTALL)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new environment with flask-restate, what a reader has beside it, and nothing else of ours."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", "-c", "constraints.txt"]
    subprocess.run([*pip, str(PACKAGE), "flask-sqlalchemy", "psycopg2-binary"], cwd=REPOSITORY, check=True)
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

    def __init__(self, python: Path, folder: Path, stack: Stack) -> None:
        self.ports = Ports.free()
        self.database = stack.database_url(RESTATE).rpartition("/")[0] + "/readers"
        for statement in ("DROP DATABASE IF EXISTS readers WITH (FORCE)", "CREATE DATABASE readers"):
            execute(stack.database_url(RESTATE), statement)
        self._env = {
            "PATH": os.environ["PATH"],
            "DATABASE_URL": self.database.replace("postgresql:", "postgresql+psycopg2:"),
            "RESTATE_SERVICE_PORT": str(self.ports.restate_service),
            "RESTATE_SERVICE_URL": self.ports.service_url,
            "RESTATE_ADMIN_URL": self.ports.admin_url,
            "RESTATE_ENDPOINT": self.ports.ingress_url,
        }
        self._python, self._folder = str(python), folder
        self.run("-m", "flask_restate", "identity", "identity.pem", "identity.pub")
        self._env["RESTATE_IDENTITY_KEY"] = (folder / "identity.pub").read_text()
        self.restate = restate_server.server(
            restate_server.find_binary(REPOSITORY),
            folder / "restate",
            folder / "identity.pem",
            ports=self.ports,
            env={},
            log=lambda *_line: None,
        )
        port = self.ports.flask_todo
        self.endpoint = self._server("endpoint", ["endpoint.py"], tcp_open(self.ports.restate_service))
        flask = ["-m", "flask", "run", "--port", str(port)]
        self.web = self._server("web", flask, tcp_open(port))
        self.url = f"http://127.0.0.1:{port}/subscribe"

    def run(self, *command: str) -> None:
        """Run a command of the README."""
        subprocess.run([self._python, *command], cwd=self._folder, env=self._env, check=True)

    def subscribe(self, email: str, key: str) -> requests.Response:
        """Submit the form."""
        return requests.post(self.url, data={"email": email, "key": key}, timeout=10)

    def subscribers(self) -> list[str]:
        """Return who has subscribed."""
        return [email for (email,) in execute(self.database, "SELECT email FROM subscriber ORDER BY id")]

    def _server(self, name: str, command: list[str], ready: Check) -> Server:
        return Server(name, [self._python, *command], self._env, ready, lambda *_line: None, cwd=self._folder)


@pytest.fixture
def application(python: Path, folder: Path, stack: Stack) -> Iterator[Application]:
    """The application, running after the five steps."""
    running = Application(python, folder, stack)
    servers = [running.restate, running.endpoint, running.web]
    try:
        for server in servers:
            server.start()
        running.run("-m", "flask_restate", "register")
        yield running
    finally:
        for server in servers:
            server.kill()


def test_five_steps(python: Path, application: Application) -> None:
    """After the README's five steps each write is made once, whatever is clicked, taken or killed."""
    listed = subprocess.run([python, "-m", "pip", "list"], capture_output=True, text=True, check=True).stdout
    assert "todo" not in listed.lower()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: application.subscribe("ada@example.org", "one"), range(4)))
    assert [answer.text for answer in answers] == ["subscribed\n"] * 4
    assert application.subscribe("ada@example.org", "two").status_code == 409

    application.endpoint.kill()
    pending = application.subscribe("bob@example.org", "three")
    assert (pending.status_code, pending.json()["status"]) == (202, "pending")
    application.endpoint.start()
    assert application.subscribe("bob@example.org", "three").text == "subscribed\n"
    assert application.subscribers() == ["ada@example.org", "bob@example.org"]
