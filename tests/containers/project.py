"""A twin's compose file as a newcomer uses it: in a fresh copy of the repository, under a name and ports of its own."""

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from todo_stack.applications import REPOSITORY
from todo_stack.ports import Ports

SECONDS = 400
"""The first time the images are built."""


def clone(folder: Path) -> Path:
    """Return a copy of what git has of the repository, or would have, and nothing else."""
    listed = subprocess.run(
        ["/usr/bin/env", "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, folder / name)
    return folder


class Project:
    """One twin's compose project."""

    def __init__(self, folder: Path) -> None:
        """Describe it: `folder` is the one with compose.yaml."""
        ports = Ports.free()
        self.folder = folder
        self.services: set[str] = set()
        """Those that go on running; known once it is up."""
        self.name = f"{folder.name}-{uuid.uuid4().hex[:8]}"
        self.url = f"http://127.0.0.1:{ports.flask_todo}"
        self.dashboard = f"http://127.0.0.1:{ports.restate_admin}/ui/"
        self.admin_url = f"http://127.0.0.1:{ports.restate_admin}"
        self._env = {
            **{name: value for name, value in os.environ.items() if name not in ("VERSION", "SECRETS")},
            "COMPOSE_PROJECT_NAME": self.name,
            "PORT": str(ports.flask_todo),
            "RESTATE_ADMIN_PORT": str(ports.restate_admin),
        }

    def run(self, *command: str) -> str:
        """Run a command in its folder and return what it prints; its errors are in the failure."""
        done = subprocess.run(
            command, cwd=self.folder, env=self._env, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        assert done.returncode == 0, f"{' '.join(command)}: {done.stdout[-1000:]}{done.stderr[-3000:]}"
        return done.stdout

    def up(self) -> None:
        """Start what does not run, and return when all is healthy."""
        self.run("docker", "compose", "up", "--wait")
        self.services = set(self.containers())

    def down(self, *options: str) -> None:
        """Remove the containers and networks; with --volumes also the data."""
        self.run("docker", "compose", "down", *options)

    def containers(self, *, running: bool = True) -> dict[str, dict[str, Any]]:
        """Return what the engine knows of each container, by service."""
        numbers = self.run("docker", "compose", "ps", "--quiet", *([] if running else ["--all"])).split()
        known = json.loads(self.run("docker", "inspect", *numbers)) if numbers else []
        return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in known}

    def kill(self, service: str) -> None:
        """Kill a service's container."""
        self.run("docker", "kill", self.containers()[service]["Id"])

    def published(self, services: Iterable[dict[str, Any]]) -> set[tuple[str, str]]:
        """Return what is published: addresses and ports on this machine."""
        return {
            (binding["HostIp"], binding["HostPort"])
            for one in services
            for bindings in one["NetworkSettings"]["Ports"].values()
            for binding in bindings or []
        }
