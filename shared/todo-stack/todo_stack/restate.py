"""The Restate server: its binary from the npm package, configured through its environment."""

import platform
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from todo_stack.checks import all_of, http_ok
from todo_stack.errors import StackError
from todo_stack.ports import HOST, Ports
from todo_stack.process import Log, Server


def server(
    binary: Path,
    data: Path,
    identity_file: Path,
    *,
    ports: Ports,
    env: Mapping[str, str],
    log: Log,
    cancelled: threading.Event | None = None,
) -> Server:
    """Return the server, not yet started. Restate's own settings in `env` win over ours."""
    ours = {
        "RESTATE_BASE_DIR": str(data),
        # Fixed: by default it is the host name, and data of another node is refused.
        "RESTATE_NODE_NAME": "todo",
        "RESTATE_DISABLE_TELEMETRY": "true",
        # The default of 24 is made for more cores than a laptop has to spare.
        "RESTATE_DEFAULT_NUM_PARTITIONS": "4",
        # Of 2 GiB by default: a laptop has other things to do.
        "RESTATE_ROCKSDB_TOTAL_MEMORY_SIZE": "512 MiB",
        # It would be a thread for each core, beside those of the partitions: on two cores they are in each other's way.
        "RESTATE_DEFAULT_THREAD_POOL_SIZE": "1",
        # A record has some hundred bytes. To compress it takes longer than to write it.
        "RESTATE_WORKER__STORAGE__ROCKSDB_DISABLE_WAL_COMPRESSION": "true",
        "RESTATE_LOG_SERVER__ROCKSDB_DISABLE_WAL_COMPRESSION": "true",
        "RESTATE_LISTEN_MODE": "tcp",
        "RESTATE_BIND_ADDRESS": f"{HOST}:{ports.restate_node}",
        "RESTATE_ADVERTISED_ADDRESS": f"http://{HOST}:{ports.restate_node}",
        "RESTATE_INGRESS__BIND_ADDRESS": f"{HOST}:{ports.restate_ingress}",
        "RESTATE_INGRESS__ADVERTISED_ADDRESS": ports.ingress_url,
        "RESTATE_ADMIN__BIND_ADDRESS": f"{HOST}:{ports.restate_admin}",
        "RESTATE_ADMIN__ADVERTISED_ADDRESS": ports.admin_url,
        "RESTATE_LOG_DISABLE_ANSI_CODES": "true",
        "RESTATE_LOG_FORMAT": "compact",
        # octocrab asks GitHub for a newer version, and calls it an error that a machine is offline.
        "RESTATE_LOG_FILTER": "warn,octocrab=off",
        # With this key it signs what it sends to the service endpoint.
        "RESTATE_WORKER__INVOKER__REQUEST_IDENTITY_PRIVATE_KEY_PEM_FILE": str(identity_file),
    }
    return Server(
        "restate",
        [str(binary), "--no-logo"],
        {**ours, **env},
        all_of(
            http_ok(f"{ports.admin_url}/health"),
            http_ok(f"{ports.ingress_url}/restate/health"),
        ),
        log,
        stop_timeout=15,
        cancelled=cancelled,
    )


def find_binary(repository: Path) -> Path:
    """Return the server binary for this machine, never the Node script that only starts it.

    Raises:
        StackError: if it is not installed.

    """
    system = {"linux": "linux", "darwin": "darwin"}.get(sys.platform, sys.platform)
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(platform.machine().lower(), platform.machine())
    packages = repository / "flask-todo-restate" / "node_modules" / "@restatedev"
    binary = packages / f"restate-server-{system}-{machine}" / "bin" / "restate-server"
    if not binary.is_file():
        raise StackError(f"the Restate server is missing ({binary}): type 'make -B setup'")
    return binary
