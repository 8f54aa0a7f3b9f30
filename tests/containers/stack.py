"""Both twins in containers, from the compose files that a reader uses: one more RunningStack for the suite."""

import contextlib
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

import docker
import psycopg2
import pytest
from docker.models.containers import Container

from tests.containers.project import Project, projects_up
from tests.support.waiting import until
from todo_stack.checks import Check, all_of, http_ok
from todo_stack.twins import PLAIN, RESTATE, TWINS, Twin

READY_SECONDS = 60
OVERRIDES = {twin: Path(__file__).with_name(f"{twin.title}.override.yaml") for twin in TWINS}


class ContainerServer:
    """A server as its containers: one, or as the database one for each twin.

    The files say `restart: unless-stopped`. What is killed here stays down all the same: to the engine a kill that goes
    through it is an order to stop. A process that dies by itself it starts again: see test_ends_by_itself_and_is_restarted.
    """

    def __init__(self, name: str, containers: Sequence[Container], ready: Check) -> None:
        """Describe a server that was made already."""
        self.name = name
        self._containers = containers
        self._ready = ready

    @property
    def running(self) -> bool:
        """Whether its main process is there, paused or not."""
        return len(self.running_containers()) == len(self._containers)

    @property
    def pid(self) -> int | None:
        """The number of its main process, of the first where there are two, as the engine's machine counts."""
        return next((container.attrs["State"]["Pid"] for container in self.running_containers()), None)

    @property
    def env(self) -> Mapping[str, str]:
        """Skip the test: only who starts a process beside the servers asks for it."""
        pytest.skip("a process of this machine has no place in the containers' networks")

    def start(self) -> None:
        """Start it and return when it is healthy."""
        self.spawn()
        self.wait_ready()

    def spawn(self) -> None:
        """Start it without waiting for anything."""
        at_once(Container.start, self._containers)

    def wait_ready(self) -> None:
        """Return when the started server is healthy."""
        until(self._ready, f"{self.name} is healthy", READY_SECONDS)

    def stop(self) -> None:
        """Ask it to end, as the engine does, and return when it is gone."""
        at_once(Container.stop, self.running_containers())

    def kill(self) -> None:
        """Kill it (SIGKILL) and return when it is gone."""
        kill_at_once([self])

    def pause(self) -> None:
        """Freeze it; connections stay open, unanswered."""
        at_once(Container.pause, self._containers)

    def resume(self) -> None:
        """Let it go on after pause()."""
        at_once(Container.unpause, self._containers)

    def how_it_ended(self) -> str:
        """Say in words how it ended."""
        return "it runs" if self.running else f"exit code {self._containers[0].attrs['State']['ExitCode']}"

    def running_containers(self) -> list[Container]:
        """Return those whose main process is there, as the engine knows them now."""
        for container in self._containers:
            container.reload()
        return [container for container in self._containers if container.attrs["State"]["Running"]]


class ContainerStack:
    """Both twins' compose projects as one stack. Each twin has a database server of its own: `db` is both."""

    def __init__(self, folder: Path) -> None:
        """Describe it; nothing is built or started yet. `folder` takes a copy of the repository."""
        self.twins = TWINS
        self.servers: dict[str, ContainerServer] = {}
        self._folder = folder
        self._projects: dict[Twin, Project] = {}
        self._resources = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as resources:
            self._projects = resources.enter_context(projects_up(self._folder, OVERRIDES))
            plain, restate = self._projects[PLAIN], self._projects[RESTATE]
            self.ports = dataclasses.replace(restate.ports, flask_todo=plain.ports.flask_todo)
            engine = resources.enter_context(contextlib.closing(docker.from_env()))

            def server(name: str, ready: Check, service: str, *projects: Project) -> None:
                ids = [project.containers()[service]["Id"] for project in projects]
                self.servers[name] = ContainerServer(name, [engine.containers.get(one) for one in ids], ready)

            server("db", all_of(*(self._database_answers(twin) for twin in TWINS)), "db", plain, restate)
            server("restate_app", http_ok(f"{self.ports.service_url}/health"), "restate_app", restate)
            healths = f"{self.ports.ingress_url}/restate/health", f"{self.ports.admin_url}/health"
            server("restate", all_of(*map(http_ok, healths)), "restate", restate)
            for twin, project in self._projects.items():
                server(twin.title, http_ok(f"{project.url}/readyz"), "web", project)
            self._resources = resources.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._resources.close()

    def start(self) -> None:
        """Start all containers in no order, as an engine does after a power cut; return when all are healthy."""
        for server in self.servers.values():
            server.spawn()
        for server in self.servers.values():
            server.wait_ready()

    def kill(self) -> None:
        """Kill everything at one moment, as a power cut does."""
        kill_at_once(list(self.servers.values()))

    def database_url(self, twin: Twin) -> str:
        """Return the address of a twin's database, from outside."""
        project = self._projects[twin]
        return f"postgresql://postgres:{project.secret('database_password')}@127.0.0.1:{project.ports.postgres}/todos"

    def _database_answers(self, twin: Twin) -> Check:
        def check() -> bool:
            try:
                psycopg2.connect(self.database_url(twin), connect_timeout=2).close()
            except psycopg2.OperationalError:
                return False
            return True

        return check


def kill_at_once(servers: Sequence[ContainerServer]) -> None:
    """Kill what runs of these servers at one moment, and return when it is gone."""
    containers = [container for server in servers for container in server.running_containers()]
    at_once(Container.kill, containers)
    at_once(Container.wait, containers)


def at_once(action: Callable[[Container], object], containers: Sequence[Container]) -> None:
    """Do this to all containers at one moment."""
    with ThreadPoolExecutor(max(1, len(containers))) as pool:
        list(pool.map(action, containers))
