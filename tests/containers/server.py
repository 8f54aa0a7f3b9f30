"""One container as a server of the suite: killed with SIGKILL, started again on what it had written."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import tenacity
from docker.errors import APIError
from docker.models.containers import Container
from testcontainers.core.container import DockerContainer
from testcontainers.core.exceptions import ContainerStartException
from testcontainers.core.network import Network

from todo_stack.checks import Check
from todo_stack.errors import StackError

READY_SECONDS = 60
LAST_LINES = 20


class ContainerServer:
    """A server in a container, with the surface of todo_stack.process.Server that tests use."""

    def __init__(
        self,
        name: str,
        image: str,
        ready: Check,
        *,
        network: Network,
        command: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        ports: Mapping[int, int],
        mounts: Mapping[Path, str] | None = None,
    ) -> None:
        """Describe a container; nothing is made yet. `ports` are those inside and those on 127.0.0.1."""
        self.name = name
        self._ready = ready
        self._container = DockerContainer(image)
        self._container.with_network(network).with_network_aliases(name).with_envs(**(env or {}))
        # docker-py takes an address with the port, testcontainers has no words for it.
        bindings = cast(dict[str, Any], self._container.ports)
        bindings.update({f"{inside}/tcp": ("127.0.0.1", outside) for inside, outside in ports.items()})
        for file, inside in (mounts or {}).items():
            self._container.with_volume_mapping(str(file), inside, "ro")
        if command:
            self._container.with_command(list(command))

    @property
    def _engine(self) -> Container | None:
        """The engine's view of it, as it is now."""
        try:
            container = self._container.get_wrapped_container()
        except ContainerStartException:  # it was not made yet
            return None
        if container is not None:
            container.reload()
        return container

    @property
    def running(self) -> bool:
        """Whether its main process is there."""
        return self._state("Running") is True

    @property
    def pid(self) -> int | None:
        """The number of its main process on this machine."""
        return self._state("Pid") or None

    def how_it_ended(self) -> str:
        """Say in words how its main process ended."""
        return "stopped" if self.running else f"exit code {self._state('ExitCode')}"

    def start(self) -> None:
        """Start it, for the first time or again, and return when it is healthy.

        Raises:
            StackError: it is not in time; with its last lines.

        """
        self.spawn()
        self.wait_ready()

    def spawn(self) -> None:
        """Start it without waiting for anything."""
        container = self._engine
        if container is None:
            self._container.start()
        elif not self.running:
            container.start()

    def wait_ready(self) -> None:
        """Return when the started server is healthy. Raises what start() raises."""
        waiting = tenacity.Retrying(
            retry=tenacity.retry_if_result(lambda done: not done),
            stop=tenacity.stop_after_delay(READY_SECONDS),
            wait=tenacity.wait_fixed(0.05),
            retry_error_callback=lambda _state: False,
        )
        if not (waiting(lambda: self._ready() or not self.running) and self.running):
            raise StackError(f"{self.name} is not ready: {self.how_it_ended()}", self.last_lines)

    @property
    def last_lines(self) -> list[str]:
        """The end of its output."""
        container = self._engine
        return container.logs(tail=LAST_LINES).decode(errors="replace").splitlines() if container else []

    def kill(self) -> None:
        """Kill it (SIGKILL) and return when it is gone."""
        if container := self._engine:
            # It may have ended by itself.
            with contextlib.suppress(APIError):
                container.kill("SIGKILL")
            container.wait()

    def stop(self) -> None:
        """Ask it to end, as the engine does, and return when it is gone."""
        self._do(lambda container: container.stop())

    def pause(self) -> None:
        """Freeze it; connections stay open, unanswered."""
        self._do(lambda container: container.pause())

    def resume(self) -> None:
        """Let it go on after pause()."""
        self._do(lambda container: container.unpause())

    def remove(self) -> None:
        """Remove it with all that it has written."""
        if self._engine is not None:
            self._container.stop()

    def _do(self, action: Callable[[Container], None]) -> None:
        if container := self._engine:
            action(container)

    def _state(self, name: str) -> Any:  # noqa: ANN401 - the engine's JSON
        container = self._engine
        return container.attrs["State"][name] if container else None
