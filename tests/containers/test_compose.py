"""The compose files, from a fresh copy of the repository: they start, keep what they have, hide what they should."""

import contextlib
import json
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
import requests

from tests.containers.project import Project
from tests.support import restate_admin
from tests.support.waiting import until
from todo_stack.twins import RESTATE

STOP_SECONDS = 5
BACK_SECONDS = 60
only_restate = pytest.mark.parametrize("project", [RESTATE], ids=str, indirect=True)
VERSION = "deployed"
"""Of the image that is deployed: always the same, so that images do not pile up."""
OTHER_VERSION = "other"
ABSENT = {"todo_stack", "tests", "pytest", "pip", "setuptools", "wheel"}
"""What an image has no use for: the native stack, the tests, and what installs or builds."""


def add(project: Project, title: str) -> requests.Response:
    """Add a todo."""
    return requests.post(f"{project.url}/api/todos", json={"title": title}, timeout=30)


def titles(project: Project) -> list[str]:
    """Return the titles of all todos."""
    answer = requests.get(f"{project.url}/api/todos", timeout=30)
    answer.raise_for_status()
    return [todo["title"] for todo in answer.json()]


def addresses(project: Project) -> list[str]:
    """Return where Restate finds the service."""
    return list(restate_admin.deployments(project.ports.admin_url).values())


def test_published_ports(project: Project) -> None:
    """Only pages, the dashboard and the outside world can be reached, and those from this machine alone."""
    containers = project.containers()
    published = {
        f"http://{binding['HostIp']}:{binding['HostPort']}"
        for one in containers.values()
        for bindings in one["NetworkSettings"]["Ports"].values()
        for binding in bindings or []
    }
    pages = {project.url, project.ports.outside_world_url}
    assert published == pages | ({project.ports.admin_url} if "restate" in containers else set())


def test_internal_networks(project: Project) -> None:
    """The database and the service endpoint have no way out; Restate has none to the database."""
    internal = {name for name, network in project.networks().items() if network["Internal"]}
    reach = {service: set(one["NetworkSettings"]["Networks"]) for service, one in project.containers().items()}
    assert reach["db"] <= internal
    if "restate" in reach:
        assert reach["restate_app"] <= internal
        assert not reach["db"] & reach["restate"]


def test_each_line_of_our_logs_is_json(project: Project) -> None:
    """What collects the logs can read each line, from the first one on."""
    requests.get(f"{project.url}/healthz", timeout=30).raise_for_status()
    for service in {"web", "restate_app"} & project.servers:
        lines = project.run("docker", "compose", "logs", "--no-log-prefix", service).splitlines()
        assert lines
        assert {"time", "level", "message"} <= set.intersection(*(set(json.loads(line)) for line in lines)), service


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
    for service, container in project.containers(running=False).items():
        assert project.secret("secret_key") not in str(container), service
        assert project.secret("database_password") not in str(container), service


@pytest.mark.parametrize(("service", "package"), [("web", "todo_shared"), ("outside_world", "outside_world")])
def test_only_the_application_is_in_the_image(project: Project, service: str, package: str) -> None:
    """An image has its application, and neither another, the native stack nor tests, nor what builds or installs."""
    one = project.containers()[service]["Id"]
    find = "import sys, importlib.util as u; print(*(name for name in sys.argv[1:] if u.find_spec(name)))"
    found = project.run("docker", "exec", one, "python", "-c", find, "todo_shared", "outside_world", *ABSENT)
    assert found.split() == [package]
    assert project.run("docker", "exec", one, "sh", "-c", "which gcc cc make; ls /opt/*/bin | grep pip; true") == ""
    # Not even where Python does not look.
    assert project.run("docker", "exec", one, "find", "/opt", "/srv", "/home", "-name", "todo_stack*") == ""


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
        assert project.containers(running=False)[service]["State"]["ExitCode"] == 0, service


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


def test_ends_by_itself_and_is_restarted(project: Project) -> None:
    """A server that ends by itself is started again by the engine, without anybody's doing."""
    for service, container in project.containers().items():
        project.run("docker", "exec", container["Id"], "sh", "-c", "kill -INT 1")

        def runs_again(service: str = service, number: int = container["State"]["Pid"]) -> bool:
            return service in (now := project.containers()) and now[service]["State"]["Pid"] not in (0, number)

        until(runs_again, f"{service} runs again", BACK_SECONDS)
    title = f"after the ends {uuid4()}"
    until(lambda: requests.get(f"{project.url}/readyz", timeout=30).ok, "the web is ready", BACK_SECONDS)
    until(lambda: add(project, title).status_code in (201, 202), "a todo can be added", BACK_SECONDS)
    until(lambda: title in titles(project), "the todo is there", BACK_SECONDS)


def test_down_and_up_keeps_everything(project: Project) -> None:
    """`down` removes the containers; `up` makes new ones on the same data."""
    title = f"kept {uuid4()}"
    assert add(project, title).status_code == 201
    before = titles(project)
    project.down()
    assert project.run("docker", "compose", "ps", "--all", "--quiet") == ""
    project.up()
    assert titles(project) == before


@only_restate
def test_work_in_flight_survives(project: Project) -> None:
    """What the Restate twin has promised is done after `down` and `up`, although it was in flight meanwhile."""
    title = f"in flight {uuid4()}"
    project.kill("db")
    assert add(project, title).status_code == 202
    project.down()
    project.up()
    until(lambda: titles(project).count(title) == 1, "the promised todo", BACK_SECONDS)


@contextlib.contextmanager
def locked(project: Project) -> Iterator[None]:
    """Let nobody write to the list meanwhile: calls are in flight, and the database can be migrated."""
    database = project.containers()["db"]["Id"]
    psql = ["/usr/bin/env", "docker", "exec", "--interactive", database, "psql", "--username=postgres", "todos"]
    with subprocess.Popen(psql, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as session:
        assert session.stdin
        assert session.stdout
        print("BEGIN; LOCK TABLE todo IN EXCLUSIVE MODE;", file=session.stdin, flush=True)
        assert [session.stdout.readline() for _ in range(2)] == ["BEGIN\n", "LOCK TABLE\n"]
        yield
        session.stdin.close()


@only_restate
def test_deploy_with_work_in_flight(project: Project) -> None:
    """`deploy.sh VERSION` runs the new version beside the old one until that has finished its calls."""
    begun, later = f"begun {uuid4()}", f"later {uuid4()}"
    new = f"http://restate-app-{VERSION}:9080"
    with ThreadPoolExecutor(1) as pool:
        with locked(project):
            assert add(project, begun).status_code == 202
            deployed = pool.submit(project.run, "./deploy.sh", VERSION)
            until(lambda: deployed.done() or new in addresses(project), "the new version is registered", BACK_SECONDS)
            assert add(project, later).status_code == 202
            # While the old version has calls, both are there.
            assert not deployed.done()
            assert len(addresses(project)) == 2
        deployed.result()
    assert addresses(project) == [new]
    for service in ("web", "restate_app"):
        assert project.containers()[service]["Config"]["Image"] == f"{RESTATE.title}:{VERSION}"
    until(lambda: [titles(project).count(title) for title in (begun, later)] == [1, 1], "both todos", BACK_SECONDS)
    # The version is remembered.
    project.up()
    assert addresses(project) == [new]
    assert add(project, f"afterwards {uuid4()}").status_code == 201


@only_restate
def test_other_version_without_deploy(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """If calls wait for a version that is not there any more, the start of another says so, or moves them if forced."""
    title = f"stranded {uuid4()}"
    (old,), new = addresses(project), f"http://restate-app-{OTHER_VERSION}:9080"
    project.run("docker", "tag", project.containers()["web"]["Config"]["Image"], f"{RESTATE.title}:{OTHER_VERSION}")
    with locked(project):
        assert add(project, title).status_code == 202
        monkeypatch.setitem(project.env, "VERSION", OTHER_VERSION)
        with pytest.raises(AssertionError, match="register"):
            project.up()
        said = project.run("docker", "compose", "logs", "--no-log-prefix", "register")
        assert f"calls (1) wait for {old}/, where no service answers: start" in said
        assert addresses(project) == [old]
        monkeypatch.setitem(project.env, "RESTATE_REGISTER_FORCE", "true")
        project.up()
        assert addresses(project) == [new]
    until(lambda: titles(project).count(title) == 1, "the promised todo", BACK_SECONDS)
