"""/metrics of several processes: one sum, whatever starts, ends or is in the way beside them."""

import os
import shutil
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.support.running_twin import RunningTwin
from tests.support.scrape import Scrape, pids, port_of, scraped, told_since
from tests.support.service_endpoint import endpoint_beside
from tests.support.small_disk import fill, small_disk
from tests.support.user import new_name
from tests.support.waiting import until
from tests.support.web_beside import web_beside, web_command
from todo_stack.paths import REPOSITORY
from todo_stack.ports import HOST, Ports
from todo_stack.stack import Stack

REQUESTS = 40


def test_workers_count_together(twin: RunningTwin) -> None:
    """Two workers are one sum, from which nothing is missing when both were killed and others have taken over."""
    port = Ports.free().metrics(twin.which.title)
    with web_beside(twin, {"WEB_WORKERS": "2", "METRICS_PORT": str(port)}) as beside:

        def counted(scrape: Scrape) -> float:
            return scrape.value("todo_http_requests_total", route="/healthz")

        def ask_often(_: int) -> None:
            requests.get(f"{beside.url}/healthz", timeout=30).raise_for_status()

        def asked_often() -> None:
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(ask_often, range(REQUESTS)))

        first = pids(scraped(port, lambda scrape: len(pids(scrape)) == 2, "both workers are there"))
        asked_often()
        assert counted(Scrape(port)) == REQUESTS
        for pid in first:
            os.kill(pid, signal.SIGKILL)
        second = scraped(port, lambda scrape: len(pids(scrape) - first) == 2, "both are replaced")
        assert pids(second).isdisjoint(first)
        assert counted(second) == REQUESTS
        asked_often()
        assert counted(Scrape(port)) == 2 * REQUESTS


@pytest.mark.whole
def test_second_start(twin: RunningTwin, native_stack: Stack) -> None:
    """What starts beside a running web and ends again, on its port or not, takes nothing from what is counted."""
    del native_stack
    port, command = port_of(twin), web_command(twin.which)
    for second, code in ((command, 1), ([*command, "--check-config"], 0)):
        done = subprocess.run(second, env=twin.web.env, cwd=REPOSITORY, capture_output=True, timeout=60, check=False)
        assert done.returncode == code, done.stderr
    before = Scrape(port)
    for pid in pids(before):
        os.kill(pid, signal.SIGKILL)
    scraped(port, lambda scrape: pids(scrape) - pids(before), "it is replaced")
    twin.add(new_name("counted by another"))
    assert told_since(twin, before) == {("ok", "201"): 1}


@pytest.mark.whole
def test_files_are_lost(twin: RunningTwin, native_stack: Stack, tmp_path: Path) -> None:
    """One file that is empty is not missed; a worker that can make none answers all the same, and says so once."""
    del native_stack
    port, lines = Ports.free().metrics(twin.which.title), list[str]()
    settings = {"METRICS_PORT": str(port), "TMPDIR": str(tmp_path), "LOG_FORMAT": "text"}
    with web_beside(twin, settings, lambda _, line: lines.append(line)) as beside:
        (worker,) = pids(scraped(port, pids, "it is measured"))
        (folder,) = tmp_path.glob("todo-metrics-*")
        assert folder.stat().st_mode & 0o777 == 0o700
        # As of a process that was killed while it made it.
        (folder / "counter_1.db").touch()
        assert Scrape(port).value("todo_http_requests_total") > 0
        shutil.rmtree(folder)
        os.kill(worker, signal.SIGKILL)
        until(lambda: beside.call("GET").ok, "it is replaced")
        for _ in range(3):
            assert beside.call("POST", json={"title": new_name("not counted")}).status_code == 201
        until(lambda: any("counting for /metrics fails" in line for line in lines), "it is said")
    assert sum("counting for /metrics fails" in line for line in lines) == 1
    assert not any("Traceback" in line for line in lines)


@pytest.mark.whole
def test_full_disk(twin: RunningTwin, native_stack: Stack, tmp_path: Path) -> None:
    """A worker that finds no room to count in is not measured, says so, and works."""
    del native_stack
    lines = list[str]()
    settings = {"METRICS_PORT": str(Ports.free().metrics(twin.which.title)), "TMPDIR": str(tmp_path)}
    with (
        small_disk(tmp_path, 8) as disk,
        web_beside(twin, settings, lambda _, line: lines.append(line)) as beside,
    ):
        (worker,) = pids(scraped(int(settings["METRICS_PORT"]), pids, "it is measured"))
        fill(disk, 0)
        os.kill(worker, signal.SIGKILL)
        until(lambda: beside.call("GET").ok, "it is replaced")
        for _ in range(3):
            assert beside.call("POST", json={"title": new_name("not counted")}).status_code == 201
        until(lambda: any("counting for /metrics fails" in line for line in lines), "it is said")
    assert not any("Traceback" in line for line in lines)


@pytest.mark.whole
def test_port_of_somebody_else(twin: RunningTwin, native_stack: Stack, tmp_path: Path) -> None:
    """That the port is taken is said once, by one of the workers; they serve when it is free, and leave no files."""
    del native_stack
    lines = list[str]()
    with socket.create_server((HOST, 0)) as theirs:
        port = theirs.getsockname()[1]
        settings = {"METRICS_PORT": str(port), "WEB_WORKERS": "2", "TMPDIR": str(tmp_path)}

        def said(what: str) -> int:
            return sum(f"{HOST}:{port} (METRICS_PORT) {what}" in line for line in lines)

        with web_beside(twin, settings, lambda _, line: lines.append(line)):
            until(lambda: said("fails"), "that it is taken")
            theirs.close()
            scraped(port, lambda scrape: len(pids(scrape)) == 2, "both workers are there")
            until(lambda: said("works again"), "that it is free")
            assert len(list(tmp_path.glob("todo-metrics-*"))) == 1
    assert said("fails") == 1
    assert list(tmp_path.iterdir()) == []


def test_processes_of_the_service(durable: RunningTwin) -> None:
    """Each process of the service endpoint tells of its own pool."""
    port = Ports.free().restate_app_metrics
    settings = {"RESTATE_SERVICE_WORKERS": "2", "METRICS_PORT": str(port)}
    with endpoint_beside(durable, ["flask_todo_restate.restate_server"], environment=settings) as server:
        second = subprocess.run(server.command, env=server.env, cwd=REPOSITORY, stderr=subprocess.DEVNULL, check=False)
        assert second.returncode == 1
        scrape = scraped(port, lambda scrape: len(scrape.of("todo_db_pool_size")) == 2, "both processes are there")
    assert scrape.value("todo_up", part="database") == 1
