"""The Restate server: its binary from the npm package, configured through its environment."""

import platform
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

from todo_stack.checks import all_of, http_ok
from todo_stack.errors import StackError
from todo_stack.output import Log
from todo_stack.paths import REPOSITORY
from todo_stack.ports import HOST, Ports
from todo_stack.process import Server
from todo_stack.twins import RESTATE


def server(
    data: Path,
    identity_file: Path,
    ports: Ports,
    env: Mapping[str, str],
    log: Log,
    cancelled: threading.Event | None = None,
) -> Server:
    """Return the server, not yet started. Restate's own settings in `env` win over ours."""
    ours = {
        # Those that are the same wherever it runs; compose reads them from the same file.
        **{name: value or "" for name, value in dotenv_values(REPOSITORY / RESTATE.title / "restate.env").items()},
        "RESTATE_BASE_DIR": str(data),
        "RESTATE_LISTEN_MODE": "tcp",
        "RESTATE_BIND_ADDRESS": f"{HOST}:{ports.restate_node}",
        "RESTATE_ADVERTISED_ADDRESS": f"http://{HOST}:{ports.restate_node}",
        "RESTATE_INGRESS__BIND_ADDRESS": f"{HOST}:{ports.restate_ingress}",
        "RESTATE_INGRESS__ADVERTISED_ADDRESS": ports.ingress_url,
        "RESTATE_ADMIN__BIND_ADDRESS": f"{HOST}:{ports.restate_admin}",
        "RESTATE_ADMIN__ADVERTISED_ADDRESS": ports.admin_url,
        # With this key it signs what it sends to the service endpoint.
        "RESTATE_WORKER__INVOKER__REQUEST_IDENTITY_PRIVATE_KEY_PEM_FILE": str(identity_file),
    }
    if endpoint := env.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        # Only with this it passes on to the service whose trace a call belongs to.
        ours["RESTATE_TRACING_ENDPOINT"] = f"otlp+{endpoint.rstrip('/')}/v1/traces"
    return Server(
        "restate",
        [str(_find_binary()), "--no-logo"],
        {**ours, **env},
        log,
        all_of(http_ok(f"{ports.admin_url}/health"), http_ok(f"{ports.ingress_url}/restate/health")),
        stop_seconds=15,
        cancelled=cancelled,
    )


def _find_binary() -> Path:
    """Return the server binary for this machine, never the Node script that only starts it."""
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(platform.machine().lower(), platform.machine())
    packages = REPOSITORY / RESTATE.title / "node_modules" / "@restatedev"
    binary = packages / f"restate-server-{sys.platform}-{machine}" / "bin" / "restate-server"
    if not binary.is_file():
        raise StackError(f"the Restate server is missing ({binary}): type 'make -B setup'")
    return binary
