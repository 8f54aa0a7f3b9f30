"""Both twins in containers: a second way to provide what todo_stack.stack.Stack provides to the suite."""

import contextlib
import secrets
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg2
from docker.errors import ContainerError
from testcontainers.core.image import DockerImage
from testcontainers.core.network import Network

from flask_restate.identity import public_key
from tests.containers.engine import POSTGRES_IMAGE, RESTATE_IMAGE
from tests.containers.server import ContainerServer
from todo_stack.applications import REPOSITORY
from todo_stack.checks import all_of, http_ok
from todo_stack.errors import StackError
from todo_stack.ports import Ports
from todo_stack.postgres import create_databases
from todo_stack.twins import RESTATE, TWINS, Twin


class ContainerStack:
    """The servers of both twins in containers on one network, published on 127.0.0.1 at fixed ports."""

    def __init__(self, data: Path, ports: Ports) -> None:
        """Describe it; nothing is built or started yet. `data` is a folder for Restate's key."""
        self.ports = ports
        self.twins = list(TWINS)
        self.servers: dict[str, ContainerServer] = {}
        self._data = data
        self._password = secrets.token_hex(16)
        self._secret_key = secrets.token_hex(16)
        self._resources = contextlib.ExitStack()
        self._network: Network | None = None
        self._images: dict[Twin, str] = {}

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(self._resources.close)
            self._build()
            self.start()
            on_failure.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._resources.close()

    def start(self) -> None:
        """Start all servers, those that are called before those that call, and return when all are healthy."""
        for server in self.servers.values():
            if server.name in {twin.title for twin in self.twins}:
                continue
            server.spawn()
        self.servers["db"].wait_ready()
        create_databases(self._postgres_url, [twin.database for twin in self.twins])
        for twin in self.twins:
            self._step(twin, ["flask", "--app", f"{twin.package}.app", "db", "upgrade", "heads"])
        self.servers["restate"].wait_ready()
        self.servers["restate_app"].wait_ready()
        self._step(RESTATE, ["flask_restate", "register"])
        for twin in self.twins:
            self.servers[twin.title].start()

    def kill(self) -> None:
        """Kill all at once, as a power cut does. start() begins again on what the disks hold."""
        at_once = threading.Barrier(len(self.servers))

        def kill(server: ContainerServer) -> None:
            at_once.wait()
            server.kill()

        with ThreadPoolExecutor(len(self.servers)) as pool:
            list(pool.map(kill, self.servers.values()))

    def database_url(self, twin: Twin) -> str:
        """Return the address of a twin's database, from outside."""
        return self._url("127.0.0.1", self.ports.postgres, twin.database)

    @property
    def _postgres_url(self) -> str:
        return self._url("127.0.0.1", self.ports.postgres, "postgres")

    def _url(self, host: str, port: int, database: str) -> str:
        return f"postgresql://postgres:{self._password}@{host}:{port}/{database}"

    def _build(self) -> None:
        """Build the images and describe the containers."""
        for twin in self.twins:
            folder = twin.title
            image = DockerImage(
                REPOSITORY, tag=f"{folder}:tested", dockerfile_path=f"{folder}/Dockerfile", clean_up=False, rm=True
            )
            self._images[twin] = str(image.build())
        network = self._network = Network().create()
        self._resources.callback(network.remove)
        pem = self._data / "identity.pem"
        self._public_key = public_key(pem)
        ports = self.ports
        self._add(
            "db",
            POSTGRES_IMAGE,
            self._database_answers,
            env={"POSTGRES_PASSWORD": self._password},
            ports={5432: ports.postgres},
        )
        self._add(
            "restate_app",
            self._images[RESTATE],
            http_ok(f"{ports.service_url}/health"),
            command=["python", "-m", "flask_todo_restate.restate_server"],
            env=self._env(RESTATE),
            ports={9080: ports.restate_service},
        )
        self._add(
            "restate",
            RESTATE_IMAGE,
            all_of(http_ok(f"{ports.admin_url}/health"), http_ok(f"{ports.ingress_url}/restate/health")),
            env={
                "RESTATE_NODE_NAME": "todo",
                "RESTATE_DISABLE_TELEMETRY": "true",
                "RESTATE_DEFAULT_NUM_PARTITIONS": "4",
                "RESTATE_ROCKSDB_TOTAL_MEMORY_SIZE": "512 MiB",
                "RESTATE_WORKER__INVOKER__REQUEST_IDENTITY_PRIVATE_KEY_PEM_FILE": "/identity.pem",
                "RESTATE_LOG_FILTER": "warn,octocrab=off",
            },
            ports={8080: ports.restate_ingress, 9070: ports.restate_admin},
            mounts={pem: "/identity.pem"},
        )
        for twin in self.twins:
            ready = http_ok(f"{ports.web_url(twin)}/readyz")
            env = {**self._env(twin), "PORT": "5000"}
            self._add(twin.title, self._images[twin], ready, env=env, ports={5000: ports.web(twin)})

    def _add(self, name: str, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - those of ContainerServer
        assert self._network
        server = self.servers[name] = ContainerServer(name, *arguments, network=self._network, **options)
        self._resources.callback(server.remove)

    def _env(self, twin: Twin) -> dict[str, str]:
        env = {"DATABASE_URL": self._url("db", 5432, twin.database), "SECRET_KEY": self._secret_key}
        if twin.durable:
            env |= {
                "RESTATE_ENDPOINT": "http://restate:8080",
                "RESTATE_ADMIN_URL": "http://restate:9070",
                "RESTATE_SERVICE_URL": "http://restate_app:9080",
                "RESTATE_IDENTITY_KEY": self._public_key,
            }
        return env

    def _step(self, twin: Twin, module: Sequence[str]) -> None:
        """Run a container to its end.

        Raises:
            StackError: it failed; with its last lines.

        """
        assert self._network
        containers = self._network._docker.client.containers  # testcontainers starts servers only
        try:
            containers.run(
                self._images[twin],
                ["python", "-m", *module],
                environment=self._env(twin),
                network=self._network.name,
                remove=True,
                stderr=True,
            )
        except ContainerError as error:
            raise StackError(f"{module[0]} failed", str(error).splitlines()) from None

    def _database_answers(self) -> bool:
        try:
            psycopg2.connect(self._postgres_url, connect_timeout=2).close()
        except psycopg2.OperationalError:
            return False
        return True
