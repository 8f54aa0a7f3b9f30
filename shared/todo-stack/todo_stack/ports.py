"""The ports of the stack: from the environment, or free ones, and whether they can be had."""

import contextlib
import errno
import functools
import itertools
import random
import socket
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Self
from urllib.parse import urlsplit

import psutil

from todo_stack.errors import StackError
from todo_stack.size import split
from todo_stack.twins import Twin

HOST = "127.0.0.1"

PORT = "PORT"

_BLOCKS = range(15_000, 31_000, 400)
"""Where free ports are looked for: each process takes a block of them, and marks it by holding its first port."""
_one_at_a_time = threading.Lock()


def _port(default: int, setting: str) -> int:
    number: int = field(default=default, metadata={"setting": setting})
    return number


@dataclass(frozen=True)
class Ports:
    """Which port each server listens on; all on 127.0.0.1."""

    postgres: int = _port(54320, "POSTGRES_PORT")
    flask_todo: int = _port(5040, "FLASK_TODO_PORT")
    flask_todo_restate: int = _port(5050, "FLASK_TODO_RESTATE_PORT")
    restate_service: int = _port(9080, "RESTATE_SERVICE_PORT")
    restate_ingress: int = _port(8080, "RESTATE_ENDPOINT")
    restate_admin: int = _port(9070, "RESTATE_ADMIN_URL")
    restate_node: int = _port(5122, "RESTATE_NODE_PORT")
    outside_world: int = _port(5080, "OUTSIDE_WORLD_PORT")
    flask_todo_metrics: int = _port(9140, "FLASK_TODO_METRICS_PORT")
    flask_todo_restate_metrics: int = _port(9150, "FLASK_TODO_RESTATE_METRICS_PORT")
    restate_app_metrics: int = _port(9180, "RESTATE_APP_METRICS_PORT")

    @classmethod
    def from_environment(cls, twins: Collection[Twin], environment: Mapping[str, str]) -> Self:
        """Read the ports from their settings.

        The web of a single twin listens on PORT, unless the setting of its own name is there too.
        """
        names = dict(_NAMES)
        if len(twins) == 1:
            web = next(iter(twins)).package
            names[web] = names[web] if environment.get(names[web]) else PORT
        given = {port: name for port, name in names.items() if environment.get(name)}
        return cls(**{port: _parse(name, environment[name]) for port, name in given.items()})

    @classmethod
    def free(cls, in_a_row: int = 1) -> Self:
        """Return ports that nobody uses at this moment; for several servers of a kind, so many in a row of each.

        They are below those that a kernel gives to whoever asks for any, and no other process is given them here, so
        that a server that is stopped and started again finds its port.
        """
        with _one_at_a_time:
            return cls(*itertools.islice(_first_of(in_a_row), len(fields(cls))))

    def shifted(self, by: int, *names: str) -> Self:
        """Return these, but of the named ones those that come so much later: those of another server of the kind."""
        return replace(self, **{name: getattr(self, name) + by for name in names})

    @property
    def ingress_url(self) -> str:
        """Where the web sends its writes."""
        return f"http://{HOST}:{self.restate_ingress}"

    @property
    def admin_url(self) -> str:
        """Restate's admin API; the dashboard is under it."""
        return f"http://{HOST}:{self.restate_admin}"

    @property
    def service_url(self) -> str:
        """Where Restate reaches the service endpoint."""
        return f"http://{HOST}:{self.restate_service}"

    @property
    def outside_world_url(self) -> str:
        """The third parties that both twins call."""
        return f"http://{HOST}:{self.outside_world}"

    def web(self, twin: Twin) -> int:
        """Return the port of a twin's web."""
        return int(getattr(self, twin.package))

    def web_url(self, twin: Twin) -> str:
        """Return the address of a twin's web, without a slash at its end."""
        return f"http://{HOST}:{self.web(twin)}"

    def metrics(self, server: str) -> int:
        """Return the port at which a server of a twin, by its name, is scraped."""
        kind, number = split(server)
        return int(getattr(self, f"{kind.replace('-', '_')}_metrics")) + number - 1

    def check(self, wanted: Iterable[tuple[str, int]]) -> None:
        """Make sure that these ports can be had, each by its field and how much later the port comes.

        The error has the setting, and who has the port.
        """
        owner: dict[int, str] = {}
        for name, by in wanted:
            port, setting = getattr(self, name) + by, _NAMES[name]
            which = f"{setting} + {by}" if by else setting
            if port in owner:
                first = owner[port]
                raise StackError(f"port {port} is wanted twice, for {first} and for {which}: set one to another")
            owner[port] = which
            if reason := _refusal(port):
                raise StackError(f"port {port} ({which}) {reason}: end that, or set {setting} to another")


_NAMES: Mapping[str, str] = {port.name: port.metadata["setting"] for port in fields(Ports)}
_ADDRESSES = {"RESTATE_ENDPOINT", "RESTATE_ADMIN_URL"}

SETTINGS = frozenset({*_NAMES.values(), PORT})
"""The settings that this file reads from the environment."""


@functools.cache
def _own_block() -> Iterator[int]:
    """Yield the ports of a block of this process's own, again and again; it is held until the process ends."""
    for first in random.SystemRandom().sample(_BLOCKS, len(_BLOCKS)):
        with socket.socket() as mark, contextlib.suppress(OSError):
            mark.bind((HOST, first))
            while True:
                yield from range(first + 1, first + _BLOCKS.step)
    raise StackError(f"no block of ports is free from {_BLOCKS.start} to {_BLOCKS.stop}")


def _first_of(in_a_row: int) -> Iterator[int]:
    """Yield the first of so many ports in a row that can be had, again and again."""
    run: list[int] = []
    for port in filter(_can_be_had, _own_block()):
        run = [*run, port] if run and port == run[-1] + 1 else [port]
        if len(run) == in_a_row:
            yield run[0]
            run = []


def _can_be_had(port: int) -> bool:
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.bind((HOST, port))
        return True
    return False


def _parse(name: str, value: str) -> int:
    if name in _ADDRESSES:
        problem = f"{name}: {value!r} must be http://{HOST}:<port>, because the Restate server is started here"
        try:
            address = urlsplit(value)
            port = address.port
        except ValueError:
            raise StackError(problem) from None
        if address.scheme != "http" or address.hostname not in (HOST, "localhost") or not port:
            raise StackError(problem)
        return port
    if not (value.isascii() and value.isdecimal() and 1 <= int(value) <= 65535):
        raise StackError(f"{name}: {value!r} is not a port (a number from 1 to 65535)")
    return int(value)


def _refusal(port: int) -> str | None:
    """Say why this port cannot be listened on, if so."""
    with socket.socket() as probe:
        # As servers do: connections of the last one, still closing, are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return f"is taken by {_listener(port) or 'another process'}"
            return f"cannot be used ({error.strerror})"
    return None


def _listener(port: int) -> str | None:
    """Name the process that listens on this port, as far as this user may know."""
    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
            if listens and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    return None
