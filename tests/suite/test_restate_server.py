"""The service endpoint starts on its port or says why not, and stops at once, whatever is in flight."""

import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flask_restate.identity import check_public_key, public_key
from tests.support.running_twin import restate_twin
from tests.support.service_endpoint import registered, service_endpoint
from tests.support.table_lock import todos_locked
from tests.support.user import new_name
from tests.support.waiting import until
from todo_stack.ports import Ports
from todo_stack.stack import Stack
from todo_stack.twins import RESTATE

IN_FLIGHT = 6
PATIENT = {"DB_STATEMENT_TIMEOUT_SECONDS": "60", "DB_SILENCE_TIMEOUT_SECONDS": "60"}
"""With these a stop that waited for its steps would take a minute."""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Settings with which the endpoint would start."""
    return {
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
        "RESTATE_IDENTITY_KEY": public_key(tmp_path / "identity.pem"),
        "RESTATE_SERVICE_PORT": str(Ports.free().restate_service),
    }


def test_line_break_after_the_key(environment: dict[str, str]) -> None:
    """A key that was read from a file with its line break is that key."""
    key = environment["RESTATE_IDENTITY_KEY"]
    assert check_public_key(f"{key}\n") == key


def test_port_that_is_taken(environment: dict[str, str]) -> None:
    """A port that another process has ends the endpoint with one line, which has its setting."""
    program, port = [sys.executable, "-m", "flask_todo_restate.restate_server"], environment["RESTATE_SERVICE_PORT"]
    with socket.create_server(("127.0.0.1", int(port))):
        done = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=30, check=False)
    (line,) = (done.stdout + done.stderr).strip().splitlines()
    assert f"{port} (HOST, RESTATE_SERVICE_PORT): Address already in use" in line


def test_answers_are_not_held_back(environment: dict[str, str]) -> None:
    """What accepts Restate's connections gives them TCP_NODELAY, on the socket that it was handed, too."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        handed = {**environment, "RESTATE_SERVICE_SOCKET": f"fd://{listener.fileno()}"}
        program = [sys.executable, "-m", "flask_todo_restate.restate_server"]
        with subprocess.Popen(program, env=handed, pass_fds=[listener.fileno()], stderr=subprocess.DEVNULL) as endpoint:
            try:
                until(lambda: listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), "TCP_NODELAY")
            finally:
                endpoint.terminate()


@pytest.mark.parametrize(("processes", "number"), [(1, signal.SIGTERM), (1, signal.SIGINT), (3, signal.SIGTERM)])
def test_stop_with_calls_in_flight(
    native_stack: Stack, monkeypatch: pytest.MonkeyPatch, processes: int, number: signal.Signals
) -> None:
    """A signal to the first process alone ends all, in order, while steps wait for the database; none is done twice."""
    twin, service = restate_twin(native_stack), native_stack.servers["restate_app"]
    titles = sorted(new_name("in flight") for _ in range(IN_FLIGHT))
    with monkeypatch.context() as during:
        for setting, value in {"RESTATE_SERVICE_WORKERS": str(processes), **PATIENT}.items():
            during.setitem(service.env, setting, value)
        service.stop()
        service.start()
    with todos_locked(native_stack.database_url(RESTATE)), ThreadPoolExecutor(IN_FLIGHT) as pool:
        answers = list(pool.map(lambda title: twin.call("POST", json={"title": title}), titles))
        assert [answer.status_code for answer in answers] == [202] * IN_FLIGHT
        assert service.pid is not None
        os.kill(service.pid, number)
        until(lambda: not service.running, "the service endpoint has ended", 10)
        assert service.how_it_ended() == "exit code 0"
    service.start()
    assert twin.settle() == []
    assert [task for title in titles for task in twin.tasks(title)] == titles


def test_hypercorn_serves_too(native_stack: Stack) -> None:
    """Started by hypercorn's own command, the endpoint takes a call."""
    twin, port, title = restate_twin(native_stack), Ports.free().restate_service, new_name("hypercorn")
    command = ["hypercorn", "--bind", f"127.0.0.1:{port}", "flask_todo_restate.restate_server:app"]
    server = service_endpoint(twin, command, port)
    with registered(server, twin, port):
        # With only one endpoint that runs, there is no doubt which of them has answered.
        twin.writer.kill()
        twin.add(title)
    assert twin.tasks(title) == [title]
