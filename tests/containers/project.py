"""A twin's compose file as a newcomer uses it: in a fresh copy of the repository, under a name and ports of its own."""

import contextlib
import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from todo_stack.paths import REPOSITORY
from todo_stack.ports import Ports
from todo_stack.twins import TWINS, Twin

SECONDS = 400
"""The first time the images are built."""


class Project:
    """One twin's compose project."""

    def __init__(self, twin: Twin, repository: Path, *overrides: Path) -> None:
        """Describe it; nothing runs yet. `overrides` are compose files that add to the twin's own."""
        self.twin = twin
        self.ports = Ports.free()
        self.folder = repository / twin.title
        self.name = f"{twin.title}-{uuid.uuid4().hex[:8]}"
        self.url = self.ports.web_url(twin)
        self.servers: set[str] = set()
        """The services that go on running; known once it is up."""
        self.env = {
            **{name: value for name, value in os.environ.items() if name not in ("VERSION", "SECRETS")},
            "COMPOSE_PROJECT_NAME": self.name,
            "COMPOSE_FILE": os.pathsep.join(map(str, (*self._own_files(), *overrides))),
            "PORT": str(self.ports.web(twin)),
            "OUTSIDE_WORLD_PORT": str(self.ports.outside_world),
            "POSTGRES_PORT": str(self.ports.postgres),
            "METRICS_PORT": str(self.ports.metrics(twin.title)),
            "SERVICE_METRICS_PORT": str(self.ports.restate_app_metrics),
            "RESTATE_ADMIN_PORT": str(self.ports.restate_admin),
            "RESTATE_INGRESS_PORT": str(self.ports.restate_ingress),
            "RESTATE_SERVICE_PORT": str(self.ports.restate_service),
        }

    def _own_files(self) -> list[str]:
        """Return the compose files that compose takes by itself in this folder."""
        return [name for name in ("compose.yaml", "compose.override.yaml") if (self.folder / name).exists()]

    def run(self, *command: str) -> str:
        """Run a command in its folder and return what it prints; its errors are in the failure."""
        done = subprocess.run(
            command, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        assert done.returncode == 0, f"{' '.join(command)}: {done.stdout[-1000:]}{done.stderr[-3000:]}"
        return done.stdout

    def up(self) -> None:
        """Start what does not run, and return when all is healthy."""
        self.run("docker", "compose", "up", "--wait")
        self.servers = set(self.containers())

    def down(self, *options: str) -> None:
        """Remove the containers and networks; with --volumes also the data."""
        self.run("docker", "compose", "down", *options)

    def containers(self, *, running: bool = True) -> dict[str, dict[str, Any]]:
        """Return what the engine knows of each container, by service."""
        ids = self.run("docker", "compose", "ps", "--quiet", *([] if running else ["--all"])).split()
        known = json.loads(self.run("docker", "inspect", *ids)) if ids else []
        return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in known}

    def networks(self) -> dict[str, dict[str, Any]]:
        """Return what the engine knows of its networks, by name."""
        ids = self.run("docker", "network", "ls", "-q", "--filter", f"label=com.docker.compose.project={self.name}")
        return {one["Name"]: one for one in json.loads(self.run("docker", "network", "inspect", *ids.split()))}

    def kill(self, service: str) -> None:
        """Kill a service's container. The engine counts that as an order: it does not start it again."""
        self.run("docker", "kill", self.containers()[service]["Id"])

    def secret(self, name: str) -> str:
        """Return one of its secrets."""
        return (self.folder / "secrets" / name).read_text().strip()


@contextlib.contextmanager
def projects_up(folder: Path, overrides: Mapping[Twin, Path] | None = None) -> Iterator[dict[Twin, Project]]:
    """Both twins' projects, up at the same time, in a copy of the repository in this folder."""
    copy_repository(folder)
    projects = {twin: Project(twin, folder, *([overrides[twin]] if overrides else [])) for twin in TWINS}
    with contextlib.ExitStack() as cleanup:
        for project in projects.values():
            cleanup.callback(project.down, "--volumes")
            # An image of an earlier run would be taken as it is.
            project.run("docker", "compose", "build")
            project.up()
        yield projects


def copy_repository(folder: Path) -> None:
    """Copy what git has of the repository, or would have, and nothing else."""
    command = ["/usr/bin/env", "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.split("\0"):
        if (REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, folder / name)
