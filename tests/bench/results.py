"""What `make bench` measured: the form of its JSON file, from which the page, the table and the README are made."""

from datetime import datetime
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from tests.lab.picture.results import Machine

Contestant = Literal["basic", "restate", "minimal"]
"""The twins, and a Flask application of a few lines that only inserts, with psycopg2."""

OperationName = Literal["add", "update", "delete", "list"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Spread(_Model):
    """A figure of several rounds: the median, and the lowest and highest."""

    median: float
    low: float
    high: float


class Latency(_Model):
    """Percentiles of the time of an operation, in milliseconds, over all rounds.

    None where the requests were too few for it: a hundred have a slowest hundredth, ninety have none.
    """

    p50: float
    p90: float | None
    p99: float | None
    p999: float | None


class Closed(_Model):
    """A closed loop: each client sends its next request when it has its answer."""

    contestant: Contestant
    operation: OperationName
    clients: int
    requests: int
    latency_ms: Latency
    per_second: Spread
    """Throughput, by round."""
    generator_cpu: float
    """What the load generator took of one core, 0 to 1."""


class Usage(_Model):
    """What one server took for one operation, all its processes together, at the highest number of clients."""

    contestant: Contestant
    operation: OperationName
    server: str
    cpu_ms: float
    """CPU time per operation, in milliseconds."""
    peak_memory_mb: float
    """Private memory (USS), or resident where the system does not tell."""
    written_kb: float | None
    """What it gave to write(2), in kB per operation: files, and lines of log, but nothing that went to a socket.
    None where the system does not tell."""
    fsyncs: float | None
    """fsyncs of the write-ahead log per operation; None for a server that keeps nothing or does not tell."""


class Disk(_Model):
    """What reached the disks of the machine meanwhile, with what the file system adds; who wrote it is lost by then."""

    contestant: Contestant
    operation: OperationName
    written_kb: float
    """Per operation."""
    writes: float
    """Per operation, as the disk was asked for them."""


class Ratio(_Model):
    """Restate over plain, by round: rounds alternate, so what slows the machine down slows both down."""

    operation: OperationName
    clients: int
    p50: Spread
    throughput: Spread


class Open(_Model):
    """An open loop: requests start by the clock, and their time counts from when they were due."""

    contestant: Contestant
    operation: OperationName
    rate: float
    """Requests per second, the same for both twins."""
    requests: int
    latency_ms: Latency


class Hop(_Model):
    """A stretch of the way of one write; stretches follow one another without a gap."""

    name: str
    where: str
    """Which process the time is spent in: client, web, Restate, service, database."""
    milliseconds: float
    """Median over the requests."""
    detail: str = ""


class Waterfall(_Model):
    """Where the time of one durable add goes, of one client."""

    contestant: Contestant
    requests: int
    hops: list[Hop]
    sum_ms: float
    """Sum of the hops."""
    total_ms: float
    """The median time that the client measured, without any tracing, in turn with the traced requests."""


class Recovery(_Model):
    """After an outage: from when the process listened again until every operation that was in flight was applied."""

    target: Literal["service endpoint", "database", "Restate server"]
    outage_seconds: float
    in_flight: int
    applied_after_seconds: float
    lost: int
    duplicated: int


class Drain(_Model):
    """A backlog that had waited for the service endpoint."""

    operations: int
    seconds: float


class Workers(_Model):
    """Adds by 32 clients with so many processes."""

    contestant: Contestant
    web_workers: int
    service_processes: int | None
    per_second: float
    p99_ms: float


class Rows(_Model):
    """Both tables filled with so many rows."""

    contestant: Contestant
    rows: int
    add_per_second: float
    add_p99_ms: float
    list_p50_ms: float
    purge_seconds: float | None
    """How long the ledger's purge took for half of the rows."""


class Journals(_Model):
    """Adds while the Restate server keeps the journals of so many calls."""

    journals: int
    per_second: float
    p99_ms: float


class Results(_Model):
    """A whole run. What was not measured is empty, or None."""

    started: datetime
    seconds: float
    machine: Machine
    versions: dict[str, str]
    settings: dict[str, str] = {}
    """What is durable, and what is not the default, in words."""
    closed: list[Closed] = []
    usage: list[Usage] = []
    disk: list[Disk] = []
    ratios: list[Ratio] = []
    open: list[Open] = []
    minimal: Spread | None = None
    """Plain twin over the minimal application: adds per second at the highest number of clients, by round."""
    idle_memory_mb: dict[str, dict[str, float]] = {}
    """Resident memory (RSS), right after start, by twin and server."""
    waterfalls: list[Waterfall] = []
    recoveries: list[Recovery] = []
    drain: Drain | None = None
    workers: list[Workers] = []
    rows: list[Rows] = []
    journals: list[Journals] = []

    def write(self, path: Path) -> None:
        """Write them as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what was written."""
        return cls.model_validate_json(path.read_text(encoding="utf-8"))
