"""The service endpoint starts with one clear line or none, and stops at once, whatever is in flight."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import psycopg2
import pytest
import requests
import tenacity

from flask_restate.identity import check_public_key, public_key
from tests.support.running_twin import RunningTwin, restate_twin
from todo_stack.applications import REPOSITORY
from todo_stack.checks import tcp_open
from todo_stack.ports import Ports
from todo_stack.process import Server
from todo_stack.stack import Stack
from todo_stack.twins import RESTATE

OURS = ["-m", "flask_todo_restate.restate_server"]
HYPERCORN = ["-m", "hypercorn", "--bind", "127.0.0.1:{port}", "flask_todo_restate.restate_server:app"]
IN_FLIGHT = 6
PATIENT = {"DB_STATEMENT_TIMEOUT_SECONDS": "60", "DB_SILENCE_TIMEOUT_SECONDS": "60"}
"""With these a stop that waited for its steps would take a minute."""


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    """Settings with which the endpoint would start."""
    return {
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
        "RESTATE_IDENTITY_KEY": public_key(tmp_path / "identity.pem"),
        "RESTATE_SERVICE_PORT": str(Ports.free().restate_service),
    }


def output(command: list[str], settings: dict[str, str]) -> list[str]:
    """Start the endpoint with settings that end it, and return what it says."""
    words = [word.format(port=settings["RESTATE_SERVICE_PORT"]) for word in command]
    done = subprocess.run(
        [sys.executable, *words], env=settings, capture_output=True, text=True, timeout=30, check=False
    )
    return (done.stdout + done.stderr).strip().splitlines()


@pytest.mark.parametrize(
    ("command", "name", "value"),
    [
        (OURS, "RESTATE_IDENTITY_KEY", None),
        (OURS, "RESTATE_IDENTITY_KEY", "nonsense"),
        (OURS, "RESTATE_IDENTITY_KEY", "publickeyv1_abc"),
        (OURS, "RESTATE_IDENTITY_KEY", "publickeyv1_0OIl"),
        (OURS, "DATABASE_URL", "sqlite:///todos.db"),
        (OURS, "RESTATE_SERVICE_WORKERS", "0"),
        (OURS, "RETRY_MAX_INTERVAL_SECONDS", "soon"),
        (HYPERCORN, "DATABASE_URL", None),
        (HYPERCORN, "RESTATE_IDENTITY_KEY", "publickeyv1_abc"),
    ],
)
def test_wrong_setting(settings: dict[str, str], command: list[str], name: str, value: str | None) -> None:
    """A setting that is missing or malformed ends either way of starting with one line that names it."""
    changed = {key: text for key, text in {**settings, name: value}.items() if text is not None}
    (line,) = output(command, changed)
    assert line.startswith(f"Wrong settings. {name}: ")


def test_line_break_after_the_key(settings: dict[str, str]) -> None:
    """A key that was read from a file with its line break is that key."""
    key = settings["RESTATE_IDENTITY_KEY"]
    assert check_public_key(f"{key}\n") == key


def test_port_that_is_taken(settings: dict[str, str]) -> None:
    """A port that another process has is one line with its setting."""
    with socket.create_server(("127.0.0.1", int(settings["RESTATE_SERVICE_PORT"]))):
        (line,) = output(OURS, settings)
    assert f"{settings['RESTATE_SERVICE_PORT']} (HOST, RESTATE_SERVICE_PORT): Address already in use" in line


@pytest.fixture(params=[1, 3], ids=["one process", "three processes"])
def durable(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningTwin]:
    """The Restate twin with so many processes of its service endpoint."""
    overrides = {"restate_app": {"RESTATE_SERVICE_WORKERS": str(request.param), **PATIENT}}
    with Stack([RESTATE], data=tmp_path, ports=Ports.free(), overrides=overrides) as stack:
        yield restate_twin(stack)


def test_stop_with_calls_in_flight(durable: RunningTwin) -> None:
    """SIGTERM to the first process alone ends all, in order, while steps wait for the database; none is done twice."""
    titles = [f"in flight {uuid4()}" for _ in range(IN_FLIGHT)]
    database = psycopg2.connect(durable.stack.database_url(RESTATE))
    with contextlib.closing(database) as lock, ThreadPoolExecutor(IN_FLIGHT) as pool:
        lock.cursor().execute("LOCK TABLE todo")
        answers = list(pool.map(lambda title: durable.call("POST", json={"title": title}), titles))
        assert [answer.status_code for answer in answers] == [202] * IN_FLIGHT
        assert durable.writer.pid is not None
        os.kill(durable.writer.pid, signal.SIGTERM)
        stopped = tenacity.Retrying(
            retry=tenacity.retry_if_result(bool), stop=tenacity.stop_after_delay(10), wait=tenacity.wait_fixed(0.05)
        )
        stopped(lambda: durable.writer.running)
        assert durable.writer.how_it_ended() == "exit code 0"
    durable.writer.start()
    assert durable.settle() == []
    assert sorted(durable.tasks("in flight")) == sorted(titles)


def test_hypercorn_serves_too(stack: Stack) -> None:
    """Started by hypercorn's own command, the endpoint takes a call."""
    durable, port = restate_twin(stack), Ports.free().restate_service
    command = [sys.executable, *(word.format(port=port) for word in HYPERCORN)]
    server = Server("hypercorn", command, durable.writer.env, tcp_open(port), lambda *_line: None, cwd=REPOSITORY)
    admin, title = stack.ports.admin_url, f"hypercorn {uuid4()}"
    try:
        server.start()
        new = requests.post(f"{admin}/deployments", json={"uri": f"http://127.0.0.1:{port}"}, timeout=30).json()
        durable.writer.kill()
        answer = durable.call("POST", json={"title": title})
        requests.delete(f"{admin}/deployments/{new['id']}?force=true", timeout=10).raise_for_status()
        assert answer.status_code == 201
        assert durable.tasks(title) == [title]
    finally:
        server.kill()
