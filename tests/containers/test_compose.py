"""The compose files, from a fresh copy of the repository: they start, keep what they have, hide what they should."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests
import tenacity

from tests.containers.project import Project, clone

TWINS = ("flask-todo", "flask-todo-restate")
STOP_SECONDS = 5
VERSION = "deployed"
"""Of the image that is deployed: always the same, so that images do not pile up."""


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Project]]:
    """Both twins, up at the same time."""
    repository = clone(tmp_path_factory.mktemp("clone"))
    projects = {name: Project(repository / name) for name in TWINS}
    with contextlib.ExitStack() as cleanup:
        for project in projects.values():
            cleanup.callback(project.down, "--volumes")
            # An image of an earlier run would be taken as it is.
            project.run("docker", "compose", "build")
            project.up()
        yield projects


@pytest.fixture(params=TWINS)
def project(request: pytest.FixtureRequest, both: dict[str, Project]) -> Project:
    """Each of the twins in turn; what a test has left stopped is started."""
    project = both[request.param]
    if set(project.containers()) != project.services:
        project.up()
    return project


def add(project: Project, title: str) -> requests.Response:
    """Add a todo."""
    return requests.post(f"{project.url}/api/todos", json={"title": title}, timeout=30)


def titles(project: Project) -> list[str]:
    """Return the titles of all todos."""
    return [todo["title"] for todo in requests.get(f"{project.url}/api/todos", timeout=30).json()]


def eventually(holds: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait until this holds; while the application cannot be reached, it does not."""
    waiting = tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda held: not held)
        | tenacity.retry_if_exception_type((requests.RequestException, KeyError, ValueError)),
        stop=tenacity.stop_after_delay(seconds),
        wait=tenacity.wait_fixed(0.2),
        retry_error_callback=lambda _state: False,
    )
    assert waiting(holds), f"still missing after {seconds} s: {what}"


def test_pages_answer(project: Project) -> None:
    """After `docker compose up --wait`, the page, the API and the dashboard answer."""
    assert requests.get(project.url, timeout=30).status_code == 200
    assert add(project, f"compose {uuid4()}").status_code == 201
    if "restate" in project.containers():
        assert requests.get(project.dashboard, timeout=30).status_code == 200


def test_published_ports(project: Project) -> None:
    """Only the pages and the dashboard can be reached from outside, and those from this machine alone."""
    containers = project.containers()
    wanted = {project.url} | ({project.admin_url} if "restate" in containers else set())
    assert {f"http://{address}:{port}" for address, port in project.published(containers.values())} == wanted
    internal = {name for name in networks(project) if networks(project)[name]["Internal"]}
    # The database has no way out, and nobody but those who use it has a way to it.
    assert set(containers["db"]["NetworkSettings"]["Networks"]) <= internal
    if "restate" in containers:
        assert set(containers["restate_app"]["NetworkSettings"]["Networks"]) <= internal
        reaches_db = set(containers["db"]["NetworkSettings"]["Networks"])
        assert not reaches_db & set(containers["restate"]["NetworkSettings"]["Networks"])


def networks(project: Project) -> dict[str, dict[str, Any]]:
    """Return what the engine knows of the project's networks."""
    names = project.run("docker", "network", "ls", "-q", "--filter", f"label=com.docker.compose.project={project.name}")
    return {one["Name"]: one for one in json.loads(project.run("docker", "network", "inspect", *names.split()))}


def test_nobody_is_root(project: Project) -> None:
    """No process in any container is root's, none may become root, ours cannot write to their images."""
    for service, container in project.containers().items():
        host = container["HostConfig"]
        # Numbers of processes and of their users, under a line of titles.
        processes = project.run("docker", "top", container["Id"], "-eo", "pid,uid").splitlines()[1:]
        users = {line.split()[1] for line in processes}
        assert users, service
        assert "0" not in users, service
        assert host["CapDrop"] == ["ALL"], service
        assert not host["CapAdd"], service
        assert not host["Privileged"], service
        assert "no-new-privileges:true" in host["SecurityOpt"], service
        assert host["Memory"] > 0, service
        assert host["ReadonlyRootfs"] or service == "db", service


def test_no_secret_in_sight(project: Project) -> None:
    """Secrets are in files: what `docker inspect` shows of a container has none of them."""
    for name in ("secret_key", "database_password"):
        secret = (project.folder / "secrets" / name).read_text().strip()
        for service, container in project.containers(running=False).items():
            assert secret not in str(container), service


def test_no_build_tools(project: Project) -> None:
    """The images have neither compiler nor installer beside the application."""
    web = project.containers()["web"]["Id"]
    found = project.run("docker", "exec", web, "sh", "-c", "which gcc make; ls /opt/todo/bin | grep -x pip; true")
    assert found == ""


def test_up_twice_changes_nothing(project: Project) -> None:
    """A second `up` leaves every running container as it is."""
    before = {service: (one["Id"], one["State"]["StartedAt"]) for service, one in project.containers().items()}
    project.up()
    assert {service: (one["Id"], one["State"]["StartedAt"]) for service, one in project.containers().items()} == before


def test_stops_in_time(project: Project) -> None:
    """Each container ends within five seconds of being asked, by itself."""
    add(project, f"before stop {uuid4()}")
    for service, container in project.containers().items():
        begun = time.monotonic()
        project.run("docker", "stop", "--time", str(4 * STOP_SECONDS), container["Id"])
        assert time.monotonic() - begun < STOP_SECONDS, service
        ended = project.containers(running=False)[service]["State"]
        assert ended["ExitCode"] == 0, service


def test_add_survives_kills(project: Project) -> None:
    """What was added is there after `docker kill` of each container in turn, and so is what is added afterwards."""
    added = []
    for service in project.containers():
        added.append(f"before {service} {uuid4()}")
        assert add(project, added[-1]).status_code == 201
        project.kill(service)
        project.up()
        added.append(f"after {service} {uuid4()}")
        assert add(project, added[-1]).status_code == 201
    assert [title for title in titles(project) if title in added] == added


def test_crash_is_restarted(project: Project) -> None:
    """A process that dies by itself is started again by the engine, without anybody's doing."""
    for service, container in project.containers().items():
        number = container["State"]["Pid"]
        # The engine may count processes elsewhere, in a machine of its own: then this number is somebody else's here.
        command = Path(f"/proc/{number}/cmdline")
        arguments = command.read_bytes().split(b"\0") if command.exists() else []
        if not {str(part).encode() for part in container["Args"]} <= set(arguments):
            pytest.skip("the engine's processes are not processes of this machine")
        try:
            os.kill(number, signal.SIGKILL)
        except (PermissionError, ProcessLookupError):
            pytest.skip("the engine's processes are not ours to kill")

        def runs_again(service: str = service, number: int = number) -> bool:
            return project.containers()[service]["State"]["Pid"] not in (0, number)

        eventually(runs_again, f"{service} runs again")
    title = f"after crashes {uuid4()}"
    eventually(lambda: requests.get(f"{project.url}/readyz", timeout=30).status_code == 200, "the web is ready")
    eventually(lambda: add(project, title).status_code in (201, 202), "a todo can be added")
    eventually(lambda: title in titles(project), "the todo is there")


def test_down_and_up_keeps_everything(project: Project) -> None:
    """`down` removes the containers; `up` makes new ones on the same data."""
    title = f"kept {uuid4()}"
    assert add(project, title).status_code == 201
    before = titles(project)
    project.down()
    assert project.run("docker", "compose", "ps", "--all", "--quiet") == ""
    project.up()
    assert titles(project) == before


def test_work_in_flight_survives(both: dict[str, Project]) -> None:
    """What the Restate twin has promised is done after `down` and `up`, although it was in flight meanwhile."""
    project = both["flask-todo-restate"]
    project.up()
    title = f"in flight {uuid4()}"
    project.kill("db")
    assert add(project, title).status_code == 202
    project.down()
    project.up()
    eventually(lambda: titles(project).count(title) == 1, "the promised todo")


@contextlib.contextmanager
def locked(project: Project) -> Iterator[None]:
    """Let nobody write to the list meanwhile: calls are in flight, and the database can be migrated."""
    database = project.containers()["db"]["Id"]
    psql = ["/usr/bin/env", "docker", "exec", "--interactive", database, "psql", "--username=postgres", "todos"]
    with subprocess.Popen(psql, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as session:
        assert session.stdin
        assert session.stdout
        session.stdin.write("BEGIN; LOCK TABLE todo IN EXCLUSIVE MODE;\n")
        session.stdin.flush()
        assert session.stdout.readline() == "BEGIN\n"
        assert session.stdout.readline() == "LOCK TABLE\n"
        yield
        session.stdin.close()


def test_deploy_with_work_in_flight(both: dict[str, Project]) -> None:
    """`deploy.sh VERSION` runs the new version beside the old one until that has finished its calls."""
    project = both["flask-todo-restate"]
    project.up()
    begun, later = f"begun {uuid4()}", f"later {uuid4()}"
    new = f"http://restate-app-{VERSION}:9080"
    with ThreadPoolExecutor(1) as pool:
        with locked(project):
            assert add(project, begun).status_code == 202
            deployed = pool.submit(project.run, "./deploy.sh", VERSION)
            eventually(lambda: deployed.done() or new in addresses(project), "the registration of the new version")
            assert add(project, later).status_code == 202
            # While the old version has calls, both are there.
            assert not deployed.done()
            assert len(addresses(project)) == 2
        deployed.result()
    assert addresses(project) == [new]
    for service in ("web", "restate_app"):
        assert project.containers()[service]["Config"]["Image"] == f"flask-todo-restate:{VERSION}"
    eventually(lambda: [titles(project).count(title) for title in (begun, later)] == [1, 1], "both todos")
    # The version is remembered.
    project.up()
    assert addresses(project) == [new]
    assert add(project, f"afterwards {uuid4()}").status_code == 201


def addresses(project: Project) -> list[str]:
    """Return where Restate finds the service."""
    deployments = requests.get(f"{project.admin_url}/deployments", timeout=10).json()["deployments"]
    return [str(one["uri"]).rstrip("/") for one in deployments]
