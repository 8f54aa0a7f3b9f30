"""Another service endpoint beside that of a running Restate twin, as a process of this machine."""

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence

from tests.support import restate_admin
from tests.support.running_twin import RunningTwin
from todo_stack.checks import tcp_open
from todo_stack.output import Log, no_log
from todo_stack.paths import REPOSITORY
from todo_stack.ports import HOST, Ports
from todo_stack.process import Server, Step

_OF_THE_TWINS_OWN = ("RESTATE_SERVICE_SOCKET", "METRICS_PORT")


def service_endpoint(
    twin: RunningTwin, module: Sequence[str], port: int, log: Log = no_log, environment: Mapping[str, str] | None = None
) -> Server:
    """Return an endpoint with the settings of the twin's own, these changed; it is not started."""
    # It is not one of those that share a port, and nobody scrapes it.
    own = {name: value for name, value in twin.writer.env.items() if name not in _OF_THE_TWINS_OWN}
    env = {**own, "RESTATE_SERVICE_PORT": str(port), **(environment or {})}
    return Server(module[0], [sys.executable, "-m", *module], env, log, tcp_open(port), cwd=REPOSITORY)


def command(twin: RunningTwin, verb: str, port: int, **environment: str) -> Step:
    """Return `python -m flask_restate` with this verb for the endpoint at this port, not yet started."""
    address = {"RESTATE_SERVICE_URL": f"http://{HOST}:{port}", "RESTATE_REGISTER_FORCE": "false"}
    env = {**twin.writer.env, **address, **environment}
    return Step(verb, [sys.executable, "-m", "flask_restate", verb], env, no_log, cwd=REPOSITORY)


@contextlib.contextmanager
def registered(server: Server, twin: RunningTwin, port: int) -> Iterator[None]:
    """Run an endpoint that Restate reaches at this port, and that takes all new calls of its services.

    Afterwards its unfinished calls are killed, and the twin's own endpoint takes the calls again.
    """
    admin_url = twin.stack.ports.admin_url
    with contextlib.ExitStack() as afterwards:
        afterwards.callback(server.kill)
        server.start()
        deployment = restate_admin.register(admin_url, f"http://{HOST}:{port}")
        afterwards.callback(restate_admin.forget, admin_url, deployment["id"])
        afterwards.callback(restate_admin.give_up, admin_url)
        yield


@contextlib.contextmanager
def endpoint_beside(
    twin: RunningTwin, module: Sequence[str], log: Log = no_log, environment: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Run another endpoint, registered, at a port of its own."""
    port = Ports.free().restate_service
    server = service_endpoint(twin, module, port, log, environment)
    with registered(server, twin, port):
        yield server
