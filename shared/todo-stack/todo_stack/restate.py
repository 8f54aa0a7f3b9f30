"""The Restate server: its binary from the npm package, configured through its environment."""

import json
import platform
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

from todo_stack.checks import Check, all_of, http_ok
from todo_stack.errors import StackError
from todo_stack.output import Log
from todo_stack.paths import REPOSITORY
from todo_stack.ports import HOST, Ports
from todo_stack.process import Server
from todo_stack.size import ONE, Size, numbered
from todo_stack.twins import RESTATE

REPLICATION = 2
"""How many nodes of a cluster keep each record: it goes on when one is gone."""
NODE_PORTS = ("restate_ingress", "restate_admin", "restate_node")
"""Fields of Ports: the ports of a node."""


def server(
    data: Path,
    identity_file: Path,
    all_ports: Ports,
    env: Mapping[str, str],
    log: Log,
    cancelled: threading.Event | None = None,
    *,
    number: int = 1,
    size: Size = ONE,
) -> Server:
    """Return a node, not yet started, with its own folder in `data`.

    Restate's own settings in `env` win over ours.
    """
    name = numbered("restate", number)
    ports = all_ports.shifted(number - 1, *NODE_PORTS)
    ours = {
        # Those that are the same wherever it runs; compose reads them from the same file.
        **{name: value or "" for name, value in dotenv_values(REPOSITORY / RESTATE.title / "restate.env").items()},
        "RESTATE_BASE_DIR": str(data / name),
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
    ready = [http_ok(f"{ports.admin_url}/health"), http_ok(f"{ports.ingress_url}/restate/health")]
    if size.nodes > 1:
        ours |= _of_a_cluster(all_ports, number, size.nodes)
        ready.append(_answers_for_all(ports))
    if size.services > 1:
        # A connection stays with the service process that was first to accept it: with few calls on each there are
        # many, so that no process is left out.
        ours["RESTATE_WORKER__INVOKER__HTTP2_STREAMS_PER_CONNECTION_LIMIT"] = "2"
    if endpoint := env.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        # Only with this it passes on to the service whose trace a call belongs to.
        ours["RESTATE_TRACING_ENDPOINT"] = f"otlp+{endpoint.rstrip('/')}/v1/traces"
    return Server(
        name,
        [str(_find_binary()), "--no-logo"],
        {**ours, **env},
        log,
        all_of(*ready),
        stop_seconds=15,
        cancelled=cancelled,
    )


def _of_a_cluster(ports: Ports, number: int, nodes: int) -> dict[str, str]:
    """Return what a node of a cluster is told in addition."""
    return {
        "RESTATE_NODE_NAME": numbered("todo", number),
        # Whoever starts them lets the first make the cluster, once.
        "RESTATE_AUTO_PROVISION": "false",
        "RESTATE_DEFAULT_REPLICATION": str(REPLICATION),
        "RESTATE_METADATA_CLIENT__ADDRESSES": json.dumps(
            [f"http://{HOST}:{ports.restate_node + before}" for before in range(nodes)]
        ),
        "RESTATE_ROCKSDB_TOTAL_MEMORY_SIZE": "256 MiB",
    }


def _answers_for_all(ports: Ports) -> Check:
    """Return a check that a node reaches the leader of each part of the journal: only then another one may go.

    A node is healthy some seconds before that.
    """
    return http_ok(f"{ports.admin_url}/query", {"query": "SELECT count(*) FROM sys_invocation"})


def _find_binary() -> Path:
    """Return the server binary for this machine, never the Node script that only starts it."""
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(platform.machine().lower(), platform.machine())
    packages = REPOSITORY / RESTATE.title / "node_modules" / "@restatedev"
    binary = packages / f"restate-server-{sys.platform}-{machine}" / "bin" / "restate-server"
    if not binary.is_file():
        raise StackError(f"the Restate server is missing ({binary}): type 'make -B setup'")
    return binary
