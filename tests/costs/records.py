"""What `make bench` has measured: the form of results.json, from which everything is shown."""

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias, get_args

from tests.costs.spread import Latency, Spread
from tests.support.run_environment import Record, RunRecord
from todo_stack.twins import PLAIN, RESTATE, TWINS

ApplicationName: TypeAlias = str
"""A twin's key, or one of those below."""

MINIMAL = "minimal"
"""A Flask application of a few lines that only inserts, with psycopg2."""

BOTH = "both"
"""The floor of a durable add in one piece: each client makes a plain add, and then calls a step that does nothing."""

NOOP, BY_HYPERCORN, WITH_RUN, WITHOUT_RUN = "noop", "by_hypercorn", "with_run", "without_run"
"""Calls at Restate's ingress: a durable step that does nothing, the same served by hypercorn as in the article, and an
add with and without ctx.run."""

TWIN_NAMES = tuple(twin.key for twin in TWINS)

RequestKind: TypeAlias = Literal["add", "update", "delete", "list"]
REQUEST_KINDS: tuple[RequestKind, ...] = get_args(RequestKind)
AnyRequestKind: TypeAlias = RequestKind | Literal["pay"]
"""With what only `make bench-peers` measures: it needs the outside world."""

GrowthFactor: TypeAlias = Literal["clients", "web processes", "service processes", "nodes", "rows", "journals"]
"""Journals are those of the calls that the Restate server still keeps; rows are todos, and as many in the ledger."""


class Loop(Record):
    """The same kind of request, sent over and over again."""

    application: ApplicationName
    request: RequestKind
    answers: int
    latency_ms: Latency


class ClosedLoop(Loop):
    """Each client sends its next request when it has its answer."""

    clients: int
    per_second: Spread
    """Throughput, by round."""
    generator_cpu: float
    """What the load generator took of one core, 0 to 1."""


class OpenLoop(Loop):
    """Requests start by the clock, and their time counts from when they were due."""

    rate: float
    """Requests per second, the same for both twins."""


class TwinRatio(Record):
    """Restate over plain, by round: rounds alternate, so what slows the machine down slows both down."""

    request: RequestKind
    clients: int
    p50: Spread
    throughput: Spread


class MoreClients(Record):
    """Requests a second of one twin by more clients over those by fewer, by round."""

    application: ApplicationName
    request: RequestKind
    clients: int
    fewer: int
    throughput: Spread


class ServerUsage(Record):
    """What one server took for one add, all its processes together, at the highest number of clients."""

    application: ApplicationName
    server: str
    cpu_ms: float
    peak_memory_mb: float
    """Private memory (USS), or resident where the system does not tell."""
    written_kb: float | None
    """What it gave to write(2), but for sockets: files and lines of log. None where the system does not tell."""
    fsyncs: float | None
    """fsyncs of the write-ahead log; None for a server that keeps nothing or does not tell."""


class DiskUsage(Record):
    """What reached the machine's disks for one add, with what the file system adds; who wrote it is lost by then."""

    application: ApplicationName
    written_kb: float
    writes: float
    """As the disk was asked for them."""


class Hop(Record):
    """A stretch of the way of one add; stretches follow one another without a gap."""

    name: str
    where: str
    """Which process the time is spent in: client, web, Restate, service, database."""
    milliseconds: float
    """Median over the requests."""
    floor: str = ""
    """Which part of the floor has this stretch, too: NOOP, or the plain twin's key."""
    detail: str = ""


class Waterfall(Record):
    """Where the time of one add goes, of one client."""

    application: ApplicationName
    requests: int
    hops: list[Hop]
    total_ms: float
    """The median time that the client measured, without any tracing, in turn with the traced requests."""
    floor_ms: Mapping[str, float] = {}
    """The same of each part of the floor, by the names that hops have for them; of the durable add only."""
    alone_ms: Mapping[str, float] = {}
    """The same of the add and its floor, by their names, of many of each one after the other."""

    @property
    def sum_ms(self) -> float:
        """The sum of the hops."""
        return sum(hop.milliseconds for hop in self.hops)


class Part(Record):
    """A part of a request, in milliseconds of a core."""

    name: str
    where: str
    """Which server it is in, as in Hop."""
    ours: float
    least: float | None
    """What the least takes that does the same; None where there is no other way to do it."""
    least_is: str
    note: str = ""
    """What else was measured of it."""


class Parts(Record):
    """What a request is made of."""

    request: str
    clients: int
    parts: list[Part]
    whole: float
    """Milliseconds of a core, of all servers, with so many clients."""


class Recovery(Record):
    """After an outage: from when the process listened again until every operation that was in flight was applied."""

    killed: str
    """The name of the server."""
    meant_seconds: int
    """How long it was to be down."""
    in_flight: int
    applied_after_seconds: float
    lost: int
    duplicated: int


class Drain(Record):
    """A backlog that had waited for the service endpoint."""

    operations: int
    seconds: float


class PinnedTier(Record):
    """Adds while one server has one core for itself, and all others another one, with the load generator."""

    application: ApplicationName
    server: str
    cpu_ms: float
    """What the server took for an add when nothing was pinned."""
    per_second: float
    """As many adds were done."""
    busy: float
    """What the server took of its core, 0 to 1."""
    others_busy: float
    """What the others took of theirs."""

    @property
    def predicted(self) -> float:
        """The adds a second that its core has time for."""
        return 1000 / self.cpu_ms


class Growth(Record):
    """Adds by many clients after something has grown."""

    what: GrowthFactor
    application: ApplicationName
    size: int
    per_second: float
    p99_ms: float | None
    cpu_ms: float | None = None
    """Processor time for one add, of all servers together."""
    refused: int = 0
    """Requests that the web had no room for, 503."""
    list_p50_ms: float | None = None
    """Of the list, by one client, where there are more rows."""
    purge_seconds: float | None = None
    """How long the ledger's purge took for half of its rows."""
    pages_per_second: float | None = None
    """Of the list, with the clients of the goal for pages, where there are more processes."""
    web_memory_mb: float | None = None
    """What is resident of the web after that."""


class Costs(RunRecord):
    """A whole run of `make bench`. What was not measured is empty, or None."""

    settings: Mapping[str, str] = {}
    """What is durable, and what is not the default, in words."""
    closed_loops: Sequence[ClosedLoop] = ()
    open_loops: Sequence[OpenLoop] = ()
    ratios: Sequence[TwinRatio] = ()
    short_lists: Sequence[ClosedLoop] = ()
    """Lists in many short turns, by one load generator."""
    lists_pinned: bool = False
    """Whether the webs had a core of their own in these turns; else the system does not pin, or has only one."""
    short_ratios: Sequence[TwinRatio] = ()
    """Of these turns."""
    reads: Spread | None = None
    """Restate over plain: lists a second with all numbers of clients (geometric mean), by round of these turns."""
    minimal: Spread | None = None
    """Plain twin over the minimal application: adds per second at the highest number of clients, by round."""
    both: Spread | None = None
    """Both parts of a durable add's floor over the plain twin: adds per second as above."""
    more_clients: Sequence[MoreClients] = ()
    """Of the same turns as reads."""
    usage: Sequence[ServerUsage] = ()
    """Of the twins, and of calls at the ingress."""
    pinned: Sequence[PinnedTier] = ()
    """Empty where the system does not pin processes."""
    disk: Sequence[DiskUsage] = ()
    idle_memory_mb: Mapping[ApplicationName, dict[str, float]] = {}
    """Resident memory (RSS), right after start, by twin and server."""
    waterfalls: Sequence[Waterfall] = ()
    parts: Sequence[Parts] = ()
    recoveries: Sequence[Recovery] = ()
    drains: Sequence[Drain] = ()
    """Of backlogs, the shortest first."""
    growth: Sequence[Growth] = ()

    @property
    def where_lists(self) -> str:
        """What is to be said of the short turns of lists wherever their figures stand."""
        return ", the web on a core of its own" if self.lists_pinned else ""

    @property
    def most_clients(self) -> int:
        """The highest number of clients."""
        return max((one.clients for one in self.closed_loops), default=32)

    @property
    def lost_and_duplicated(self) -> tuple[int, int]:
        """How many operations were lost in all outages, and how many done twice."""
        return sum(one.lost for one in self.recoveries), sum(one.duplicated for one in self.recoveries)

    def cpu_ms(self, application: ApplicationName) -> float | None:
        """Return the processor time of all servers for one add, with the most clients; None if it was not measured."""
        return sum(one.cpu_ms for one in self.usage if one.application == application) or None

    @property
    def cpu_over_floor(self) -> float | None:
        """Processor time of a durable add over that of a plain add and a no-op step, as far as all were measured."""
        plain, noop, durable = map(self.cpu_ms, (PLAIN.key, NOOP, RESTATE.key))
        return durable / (plain + noop) if plain and noop and durable else None

    def loop(self, application: ApplicationName, *, most: bool) -> ClosedLoop | None:
        """Return the adds of an application by the most clients, or by the fewest."""
        found = [one for one in self.closed_loops if (one.request, one.application) == ("add", application)]
        return (max if most else min)(found, key=lambda one: one.clients, default=None)

    def ratio(self, request: RequestKind, *, most: bool) -> TwinRatio | None:
        """Return the ratio of the twins at a request by the most clients, or by the fewest."""
        found = [one for one in self.ratios if one.request == request]
        return (max if most else min)(found, key=lambda one: one.clients, default=None)

    def of_twins(self, request: RequestKind, *, most: bool) -> list[ClosedLoop]:
        """Return the loops of the twins at a request by the most clients, or by the fewest, as far as there are any."""
        found = [one for one in self.closed_loops if one.request == request and one.application in TWIN_NAMES]
        number = (max if most else min)((one.clients for one in found), default=0)
        return [one for one in found if one.clients == number]
