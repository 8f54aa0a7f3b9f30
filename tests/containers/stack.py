"""Both twins in containers, from the compose files that a reader uses: one more RunningStack for the suite."""

import contextlib
import dataclasses
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import docker
import pytest
from docker.models.containers import Container

from tests.containers.project import Project, projects_up
from tests.support.waiting import until
from todo_stack.checks import Check, all_of, http_ok
from todo_stack.twins import OUTSIDE_WORLD, PLAIN, RESTATE, TWINS, Twin

T = TypeVar("T")

READY_SECONDS = 60
OVERRIDES = {twin: Path(__file__).with_name(f"{twin.title}.override.yaml") for twin in TWINS}


class ContainerServer:
    """A server as its containers: one, or for the database one for each twin.

    The compose files say `restart: unless-stopped`, and what is killed here stays down all the same: a kill that goes
    through the engine is an order. What ends by itself it starts again: see test_ends_by_itself_and_is_restarted.
    """

    def __init__(self, name: str, containers: Sequence[Container], ready: Check) -> None:
        """Describe a server that exists already."""
        self.name = name
        self._containers = containers
        self._ready = ready

    @property
    def running(self) -> bool:
        """Whether its main process is there, paused or not."""
        return len(self._running()) == len(self._containers)

    @property
    def pid(self) -> int | None:
        """The number of its main process, of the first where there are two, as the engine's machine counts."""
        return next((container.attrs["State"]["Pid"] for container in self._running()), None)

    @property
    def env(self) -> Mapping[str, str]:
        """Skip the test: only a test that starts a process beside the servers asks for this."""
        pytest.skip("a process of this machine has no place in the containers' networks")

    def start(self) -> None:
        """Start it and return when it is healthy."""
        at_once(Container.start, self._containers)
        until(self._ready, f"{self.name} is healthy", READY_SECONDS)

    def stop(self) -> None:
        """Ask it to end, as the engine does, and return when it is gone."""
        at_once(Container.stop, self._running())

    def kill(self) -> None:
        """Kill it (SIGKILL) and return when it is gone."""
        containers = self._running()
        at_once(Container.kill, containers)
        at_once(Container.wait, containers)

    def pause(self) -> None:
        """Freeze it; connections stay open, unanswered."""
        at_once(Container.pause, self._containers)

    def resume(self) -> None:
        """Let it go on after pause()."""
        at_once(Container.unpause, self._containers)

    def how_it_ended(self) -> str:
        """Say in words how it ended."""
        return "it runs" if self.running else f"exit code {self._containers[0].attrs['State']['ExitCode']}"

    def _running(self) -> list[Container]:
        at_once(Container.reload, self._containers)
        return [container for container in self._containers if container.attrs["State"]["Running"]]


class ContainerStack:
    """Both twins' compose projects as one stack. `db` and `outside_world` are two containers, one for each twin."""

    def __init__(self, projects: Mapping[Twin, Project], engine: docker.DockerClient) -> None:
        """Take the containers of projects that are up."""
        self.twins = TWINS
        self._projects = projects
        plain, restate = projects[PLAIN], projects[RESTATE]
        of_plain = {port: getattr(plain.ports, port) for port in PLAIN.ports}
        self.ports = dataclasses.replace(restate.ports, **of_plain)

        def container(service: str, project: Project) -> Container:
            return engine.containers.get(project.containers()[service]["Id"])

        databases = [container("db", project) for project in projects.values()]
        health = {
            "restate_app": http_ok(f"{self.ports.service_url}/health"),
            "restate": all_of(
                http_ok(f"{self.ports.admin_url}/health"), http_ok(f"{self.ports.ingress_url}/restate/health")
            ),
        }
        worlds = [container(OUTSIDE_WORLD, project) for project in projects.values()]
        awake = [http_ok(f"{project.ports.outside_world_url}/healthz") for project in projects.values()]
        servers = [ContainerServer(OUTSIDE_WORLD, worlds, all_of(*awake))]
        servers.append(ContainerServer("db", databases, all_of(*map(accepts_connections, databases))))
        for service, ready in health.items():
            servers.append(ContainerServer(service, [container(service, restate)], ready))
        for twin, project in projects.items():
            servers.append(ContainerServer(twin.title, [container("web", project)], http_ok(f"{project.url}/readyz")))
        self.servers = {server.name: server for server in servers}

    def start(self) -> None:
        """Start all containers in no order, as an engine does after a power cut; return when all are healthy."""
        at_once(ContainerServer.start, self.servers.values())

    def kill(self) -> None:
        """Kill everything at one moment, as a power cut does."""
        # Frozen first, and callers before what they call, so that none of them lives on to see another one die. Killed
        # in that order too: to kill a frozen container the engine lets it go on, for a moment.
        callers_first = [server for server in reversed(self.servers.values()) if server.running]
        for action in (ContainerServer.pause, ContainerServer.kill):
            for server in callers_first:
                action(server)

    def database_url(self, twin: Twin, kind: str = "") -> str:
        """Return the address of a twin's database, always for the superuser, who may do what any role may."""
        del kind
        project = self._projects[twin]
        return f"postgresql://postgres:{project.secret('database_password')}@127.0.0.1:{project.ports.postgres}/todos"

    def outside_world_url(self, twin: Twin, *, inside: bool = False) -> str:
        """Return the address of a twin's outside world: its published port, or its name in the project's network."""
        return f"http://{OUTSIDE_WORLD}:5080" if inside else self._projects[twin].ports.outside_world_url


def accepts_connections(database: Container) -> Check:
    """Return a check that this PostgreSQL accepts connections."""
    # By TCP: while the data is being made, the server listens on its socket alone.
    return lambda: database.exec_run(["pg_isready", "--quiet", "--host=127.0.0.1"]).exit_code == 0


def at_once(action: Callable[[T], object], subjects: Collection[T]) -> None:
    """Do this to all of them at one moment."""
    with ThreadPoolExecutor(max(1, len(subjects))) as pool:
        list(pool.map(action, subjects))


@contextlib.contextmanager
def container_stack(folder: Path) -> Iterator[ContainerStack]:
    """Build and start both twins from a copy of the repository in this folder."""
    with projects_up(folder, OVERRIDES) as projects, contextlib.closing(docker.from_env()) as engine:
        yield ContainerStack(projects, engine)
