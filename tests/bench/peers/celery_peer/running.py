"""How the Celery peer and its Redis are started, and what is to be known of them."""

import shutil
from typing import Any

from tests.bench.peers.contestant import About, Contestant, Parts
from tests.bench.peers.lines import of_peer
from tests.bench.peers.place import WAITING_THREADS, Place, free_port
from tests.bench.peers.requirements import needs_packages, needs_program
from todo_stack.checks import tcp_open
from todo_stack.ports import HOST

ABOUT = About(
    title="Celery, Redis",
    code=of_peer("celery"),
    durable="Redis with appendonly and appendfsync always; acks_late, reject_on_worker_lost, visibility_timeout 10 s",
    killed="the Celery worker with its pool",
    not_comparable=(
        "It takes a task off its list in Redis before it notes there that it has it: a kill in between "
        "loses it, whatever is set. RabbitMQ, not measured here, would keep it. One that was committed and not yet "
        "acknowledged is done twice. A repeated request is a second task."
    ),
)

NEEDS = (needs_packages("celery", "redis"), needs_program("redis-server", "on Debian: apt install redis-server"))

POOL = ["--pool", "prefork", "--concurrency", "8"]
"""As many as the web has threads."""


def start(place: Place) -> Contestant:
    """Return the running peer."""
    database = place.database("todos_celery")
    port = free_port()
    data = place.folder / "redis"
    data.mkdir()
    redis = place.start("redis", [_redis_server(), *_redis_options(port, str(data))], {}, tcp_open(port))
    address = {"REDIS_URL": f"redis://{HOST}:{port}/0"}
    command = ["celery", "-A", "tests.bench.peers.celery_peer.tasks", "worker", "--loglevel", "WARNING", *POOL]
    # Workers that talk to one another are of no use where there is one.
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    worker = place.worker("celery worker", command, database, address)
    web, url = place.web("celery", database, {**address, "WEB_THREADS": str(WAITING_THREADS)})
    return Contestant(
        "celery",
        ABOUT,
        Parts(web, [redis, worker], writer=worker),
        stack=place.stack,
        url=url,
        database_url=database,
        unfinished=lambda: _unfinished(address["REDIS_URL"]),
    )


def _redis_server() -> str:
    found = shutil.which("redis-server")
    assert found
    return found


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
