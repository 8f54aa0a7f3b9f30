"""What the containers can reach of one another, and may do to the database: as little as they need."""

import subprocess
from collections.abc import Iterable

import pytest

from tests.containers.project import Project
from todo_stack.twins import PLAIN, RESTATE

only_restate = pytest.mark.parametrize("project", [RESTATE], ids=str, indirect=True)

METRICS = "metrics of the running version"

PORTS = {
    "db": [5432],
    "restate": [8080, 9070, 5122],
    "restate-ingress": [8080, 9070, 5122],
    "restate-admin": [8080, 9070, 5122],
    "restate_app": [9080, 9100],
    "web": [9100],
    "web-metrics": [9100],
    METRICS: [9100],
    "query": [9071],
    "outside_world": [5080],
}
"""The ports of the Restate twin's containers, by each name that they have in some network."""

REACHED = {
    "web": {"db:5432", "restate:8080", "restate-ingress:8080", "query:9071", "web-metrics:9100"},
    "restate_app": {"db:5432", "outside_world:5080", f"{METRICS}:9100"},
    "outside_world": set(),
    "query": {"restate:9070", "restate-admin:9070"},
    "db": set(),
}
"""What each of them reaches. Metrics have an address of their own: its own, and nobody else's."""

ALLOWED = {"owner": {"SELECT", "INSERT", "CREATE"}, "writer": {"SELECT", "INSERT"}, "reader": {"SELECT"}}
"""What each role may do."""

STATEMENTS = {
    "SELECT": "SELECT count(*) FROM todo",
    "INSERT": "INSERT INTO todo (task) VALUES ('tried')",
    "CREATE": "CREATE TABLE tried ()",
    "COPY PROGRAM": "COPY (SELECT 1) TO PROGRAM 'true'",
}


def in_container(project: Project, service: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a service's container, whether or not it succeeds."""
    docker = ["/usr/bin/env", "docker", "exec", project.containers()[service]["Id"], *command]
    return subprocess.run(docker, capture_output=True, text=True, timeout=120, check=False)


def settings(project: Project, service: str) -> list[list[str]]:
    """Return the names and values of the environment of a service's container."""
    return [each.split("=", 1) for each in project.containers()[service]["Config"]["Env"]]


def reached_by(project: Project, service: str, targets: Iterable[str]) -> set[str]:
    """Return which of these names and ports a service's container can connect to."""
    attempt = 'for t in "$@"; do timeout 1 bash -c "</dev/tcp/${t/://}" 2>/dev/null && echo $t; done; true'
    return set(in_container(project, service, "bash", "-c", attempt, "-", *targets).stdout.split())


@only_restate
@pytest.mark.parametrize("service", REACHED)
def test_each_reaches_what_it_needs(project: Project, service: str) -> None:
    """No container can connect to a port that it does not need."""
    (metrics,) = (value for name, value in settings(project, "restate_app") if name == "METRICS_HOST")
    names = {name: metrics if name == METRICS else name for name in PORTS}
    targets = [f"{names[name]}:{port}" for name, ports in PORTS.items() if name != service for port in ports]
    reached = reached_by(project, service, targets)
    assert reached == {each.replace(METRICS, metrics) for each in REACHED[service]}


@only_restate
def test_web_may_ask_and_nothing_else(project: Project) -> None:
    """Of the admin API the web reaches POST /query; everything else is refused before it gets there."""
    ask = """
import sys, urllib.error, urllib.request
for one in sys.argv[1:]:
    method, path = one.split()
    headers = {"accept": "application/json", "content-type": "application/json"}
    body = b'{"query": "SELECT id FROM sys_invocation"}' if method == "POST" else None
    request = urllib.request.Request(f"http://query:9071{path}", body, headers, method=method)
    try:
        print(urllib.request.urlopen(request).status)
    except urllib.error.HTTPError as error:
        print(error.code)
"""
    expected = {
        "POST /query": "200",
        "GET /query": "403",
        "DELETE /query": "403",
        "GET /deployments": "403",
        "POST /deployments": "403",
        "PATCH /invocations/inv_1/cancel": "403",
        "GET /ui/": "403",
        "POST /query/../deployments": "403",
        "POST /query/x": "403",
    }
    answers = in_container(project, "web", "python", "-c", ask, *expected).stdout.split()
    assert dict(zip(expected, answers, strict=True)) == expected


def test_roles(project: Project) -> None:
    """Only the owner changes the schema, only owner and writer change rows, and none of them is a superuser."""
    for role in ("owner", "writer") if project.twin is PLAIN else ALLOWED:
        done = {
            name: in_container(project, "db", "psql", f"--username=todos_{role}", "todos", "-c", f"BEGIN; {statement}")
            for name, statement in STATEMENTS.items()
        }
        assert {name for name, result in done.items() if result.returncode == 0} == ALLOWED[role], role
        refusals = [result.stderr for result in done.values() if result.returncode]
        assert all("permission denied" in refusal or "must be superuser" in refusal for refusal in refusals), refusals


def test_each_process_has_its_role(project: Project) -> None:
    """No server of ours connects as the superuser or the owner; the Restate twin's web only reads."""
    query = "SELECT DISTINCT usename FROM pg_stat_activity WHERE datname = 'todos' AND application_name = 'todo'"
    roles = in_container(project, "db", "psql", "--username=postgres", "todos", "-Atc", query).stdout.split()
    assert set(roles) <= {"todos_writer", "todos_reader"}
    web = project.containers()["web"]["Config"]["Env"]
    assert f"DATABASE_URL=postgresql://todos_{'writer' if project.twin is PLAIN else 'reader'}@db:5432/todos" in web


@only_restate
def test_dashboard_is_for_development(project: Project) -> None:
    """Without compose.override.yaml, nothing of Restate is published, and its networks have no way out."""
    plain = project.run("docker", "compose", "--file", "compose.yaml", "config")
    assert str(project.ports.restate_admin) not in plain
    assert f'"{project.ports.web(RESTATE)}"' in plain
