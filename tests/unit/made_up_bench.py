"""Results that no run has found, for the tests of what shows them."""

import random
from datetime import UTC, datetime

from tests.bench.arena import OPERATIONS, SERVERS, TWINS
from tests.bench.results import (
    Closed,
    Contestant,
    Disk,
    Drain,
    Hop,
    Journals,
    Latency,
    Open,
    Ratio,
    Recovery,
    Results,
    Rows,
    Spread,
    Usage,
    Waterfall,
    Workers,
)
from tests.lab.picture.results import Machine

CLIENTS = (1, 8, 32)
HOPS = {
    "basic": [("request", "client"), ("route <add>", "web"), ("statements", "database"), ("answer", "client")],
    "restate": [
        ("request", "client"),
        ("route <add>", "web"),
        ("log append", "Restate"),
        ("SDK", "service"),
        ("statements", "database"),
        ("journal append", "Restate"),
        ("answer", "client"),
    ],
}


def made_up(seed: int = 1) -> Results:
    """Return a whole run drawn at random: the Restate twin is slower, and no target is met or missed by intention."""
    dice = random.Random(seed)

    def spread(about: float) -> Spread:
        return Spread(median=about, low=about * dice.uniform(0.8, 1), high=about * dice.uniform(1, 1.2))

    def latency(about: float, *, few: bool) -> Latency:
        return Latency(p50=about, p90=about * 1.5, p99=about * 3, p999=None if few else about * 9)

    def closed(contestant: Contestant, operation: str, clients: int) -> Closed:
        slow = {"basic": 1.0, "restate": 3.0, "minimal": 0.5}[contestant] * dice.uniform(0.9, 1.1)
        return Closed.model_validate(
            {
                "contestant": contestant,
                "operation": operation,
                "clients": clients,
                "requests": 1000 // clients,
                "latency_ms": latency(5 * slow * clients**0.9, few=clients == 1),
                "per_second": spread(200 * clients**0.1 / slow),
                "generator_cpu": 0.1,
            }
        )

    return Results(
        started=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        seconds=421.5,
        machine=Machine(cores=2, memory_gib=4, system="made-up system"),
        versions={"PostgreSQL": "0.1-made-up", "Restate": "0.2-made-up", "Python": "0.3-made-up"},
        settings={"PostgreSQL": "fsync <on>"},
        closed=[
            *(closed(twin, operation, clients) for operation in OPERATIONS for clients in CLIENTS for twin in TWINS),
            *(closed("minimal", "add", clients) for clients in (1, 32)),
        ],
        usage=[
            Usage(
                contestant=twin,
                operation="add",
                server=server,
                cpu_ms=dice.uniform(0.5, 6),
                peak_memory_mb=dice.uniform(40, 200),
                written_kb=dice.uniform(0, 8),
                fsyncs=dice.uniform(0.5, 4) if server in ("db", "restate") else None,
            )
            for twin in TWINS
            for server in SERVERS[twin]
        ],
        disk=[Disk(contestant=twin, operation="add", written_kb=11, writes=dice.uniform(2, 14)) for twin in TWINS],
        ratios=[
            Ratio(
                operation=operation,
                clients=clients,
                p50=spread(dice.uniform(1.5, 4)),
                throughput=spread(dice.uniform(0.3, 1)),
            )
            for operation in OPERATIONS
            for clients in CLIENTS
        ],
        open=[
            Open(
                contestant=twin,
                operation=operation,
                rate=48,
                requests=1010,
                latency_ms=latency(dice.uniform(4, 30), few=operation == "list"),
            )
            for operation in OPERATIONS
            for twin in TWINS
        ],
        minimal=spread(dice.uniform(0.4, 1)),
        idle_memory_mb={twin: {server: dice.uniform(90, 200) for server in SERVERS[twin]} for twin in TWINS},
        waterfalls=[waterfall(dice, twin) for twin in TWINS],
        recoveries=[
            Recovery(
                target=target,
                outage_seconds=seconds + 0.2,
                in_flight=50,
                applied_after_seconds=dice.uniform(0.1, 1.4),
                lost=0,
                duplicated=0,
            )
            for target in ("service endpoint", "database", "Restate server")
            for seconds in (1, 10, 60, 300)
        ],
        drain=Drain(operations=1000, seconds=dice.uniform(5, 15)),
        workers=[
            Workers(
                contestant=twin,
                web_workers=count,
                service_processes=count if twin == "restate" else None,
                per_second=dice.uniform(80, 300),
                p99_ms=dice.uniform(100, 500),
            )
            for twin in TWINS
            for count in (1, 2, 4)
        ],
        rows=[
            Rows(
                contestant=twin,
                rows=rows,
                add_per_second=dice.uniform(80, 300),
                add_p99_ms=dice.uniform(100, 500),
                list_p50_ms=dice.uniform(20, 40),
                purge_seconds=dice.uniform(0.1, 9) if twin == "restate" else None,
            )
            for twin in TWINS
            for rows in (1000, 100_000, 1_000_000)
        ],
        journals=[
            Journals(journals=number, per_second=dice.uniform(80, 100), p99_ms=dice.uniform(100, 500))
            for number in (0, 10_000)
        ],
    )


def waterfall(dice: random.Random, twin: Contestant) -> Waterfall:
    """Return hops at random, and a total that is not quite their sum."""
    hops = [
        Hop(name=name, where=where, milliseconds=dice.uniform(0.2, 3), detail="made up & short")
        for name, where in HOPS[twin]
    ]
    total = sum(hop.milliseconds for hop in hops)
    return Waterfall(contestant=twin, requests=300, hops=hops, sum_ms=total, total_ms=total * 1.03)
