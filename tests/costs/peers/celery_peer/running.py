"""How the Celery peer and its Redis are started, and what is to be known of them."""

import shutil
from typing import Any

from tests.costs.measure.extra_servers import ExtraServers, free_port
from tests.costs.peers.contestant import WAITS_FOR_A_WORKER, Contestant, Peer, code_of, web_of
from tests.costs.peers.records import About
from todo_stack.checks import tcp_open
from todo_stack.ports import HOST

ABOUT = About(
    name="celery",
    title="Celery, Redis",
    durable="Redis with appendonly and appendfsync always; acks_late, reject_on_worker_lost, visibility_timeout 10 s",
    killed="the Celery worker with its pool",
    not_comparable=(
        "It takes a task off its list in Redis before it notes there that it has it: a kill in between "
        "loses it, whatever is set. RabbitMQ, not measured here, would keep it. One that was committed and not yet "
        "acknowledged is done twice. A repeated request is a second task."
    ),
)

POOL = ["--pool", "prefork", "--concurrency", "8"]
"""As many as the web has threads."""


def start(extra: ExtraServers) -> Contestant:
    """Return the running peer."""
    database = extra.database("todos_celery")
    port = free_port()
    data = extra.folder / "redis"
    data.mkdir()
    redis = extra.start(
        "redis", [shutil.which(PEER.program) or "", *_redis_options(port, str(data))], {}, tcp_open(port)
    )
    address = {"REDIS_URL": f"redis://{HOST}:{port}/0"}
    command = ["celery", "-A", "tests.costs.peers.celery_peer.tasks", "worker", "--loglevel", "WARNING", *POOL]
    # Workers that talk to one another are of no use where there is one.
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    worker = extra.worker("celery worker", command, database, address)
    web = extra.web("celery web", web_of("celery"), database, {**address, **WAITS_FOR_A_WORKER})
    return Contestant(
        ABOUT,
        extra,
        web,
        database,
        components=[redis, worker],
        unfinished=lambda: _unfinished(address["REDIS_URL"]),
    )


def _redis_options(port: int, data: str) -> list[str]:
    options = {
        "bind": HOST,
        "port": str(port),
        "dir": data,
        # Every write is on the disk before it is answered; snapshots beside that would only take time.
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
        "loglevel": "warning",
    }
    return [part for name, value in options.items() for part in (f"--{name}", value)]


def _unfinished(url: str) -> list[dict[str, Any]]:
    """Return the queues that are not empty: of tasks that wait, and of those that are not acknowledged."""
    import redis

    with redis.Redis.from_url(url) as client:
        lengths = {"waiting": client.llen("celery"), "unacknowledged": client.hlen("unacked")}
    return [{name: length} for name, length in lengths.items() if length]


PEER = Peer(
    ABOUT,
    code_of("celery"),
    start,
    packages=("celery", "redis"),
    program="redis-server",
    program_from="on Debian: apt install redis-server",
)
