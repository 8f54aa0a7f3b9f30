"""How often the servers have had their write-ahead logs written to disk (fsync, fdatasync), by what they tell of it."""

import re

import psycopg
import requests

from tests.bench.arena import Arena
from tests.bench.results import Contestant

_POSTGRES = {
    18: "SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal'",
    14: "SELECT wal_sync FROM pg_stat_wal",
}
"""By the oldest version of PostgreSQL that has it, the newest first."""

_RESTATE = re.compile(r"^restate_rocksdb_wal_synced_total(?:\{[^}]*\})? (\S+)$", re.MULTILINE)
"""A line for each of its databases: the log's is the one that counts."""


def fsyncs(arena: Arena, twin: Contestant) -> dict[str, float]:
    """Return how many there were since the start, by server, as far as they tell.

    Closes the twin's connections to its database.
    """
    found = {"db": _of_postgres(arena.databases[twin])}
    if twin == "restate":
        found["restate"] = _of_restate(arena.stack.ports.restate_node)
    return {name: number for name, number in found.items() if number is not None}


def _of_postgres(database_url: str) -> float | None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        # A backend publishes what it has counted when it has been idle for ten seconds, or at its end.
        backends = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        connection.execute(f"SELECT pg_terminate_backend(pid, 5000) {backends}".encode())
        major = connection.info.server_version // 10000
        query = next((query for version, query in _POSTGRES.items() if major >= version), None)
        row = connection.execute(query.encode()).fetchone() if query else None
    return float(row[0]) if row else None


def _of_restate(port: int) -> float | None:
    answer = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=10)
    counts = _RESTATE.findall(answer.text)
    return sum(map(float, counts)) if answer.ok and counts else None
