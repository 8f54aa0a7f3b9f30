"""The price: what a write costs in each twin when nothing fails, without any proxy, alternating between the twins."""

import statistics
import time
from pathlib import Path
from uuid import uuid4

import psutil
import requests

from tests.lab.database import execute
from tests.lab.picture.results import TWINS, Price, Twin
from todo_stack.ports import Ports
from todo_stack.stack import Stack

WARM_UP = 30
ADDS = 200
SERVERS: dict[Twin, tuple[str, ...]] = {
    "basic": ("db", "flask-todo"),
    "restate": ("db", "restate", "restate_app", "flask-todo-restate"),
}


def measure(data: Path) -> tuple[dict[Twin, Price], str]:
    """Return the price of each twin, of one client that adds todos one after the other, and PostgreSQL's version."""
    with Stack(data=data, ports=Ports.free()) as stack, requests.Session() as session:
        times: dict[Twin, list[float]] = {twin: [] for twin in TWINS}
        for number in range(WARM_UP + ADDS):
            for twin in TWINS:
                began = time.perf_counter()
                url = f"{stack.ports.web_url(twin)}/api/todos"
                session.post(url, json={"title": f"price {uuid4()}"}, timeout=30).raise_for_status()
                if number >= WARM_UP:
                    times[twin].append((time.perf_counter() - began) * 1000)
        ((version,),) = execute(stack.database_url("basic"), "SHOW server_version")
        return {twin: _price(stack, SERVERS[twin], times[twin]) for twin in TWINS}, version


def _price(stack: Stack, names: tuple[str, ...], milliseconds: list[float]) -> Price:
    members = []
    for name in names:
        process = psutil.Process(stack.servers[name].pid)
        members += [process, *process.children(recursive=True)]
    percentiles = statistics.quantiles(milliseconds, n=100)
    return Price(
        add_p50_ms=round(percentiles[49], 2),
        add_p99_ms=round(percentiles[98], 2),
        # Servers that somebody has to run, not the processes that they divide themselves into.
        processes=len(names),
        memory_mb=round(sum(private_memory(member) for member in members) / 1e6, 1),
    )


def private_memory(process: psutil.Process) -> int:
    """Return the bytes that a process has for itself, where the system tells; else all that it has in memory."""
    try:
        return int(process.memory_full_info().uss)
    except psutil.AccessDenied:
        return int(process.memory_info().rss)
