"""Capacity on paper, checked: one server has a core for itself, and all others another, with the load generator."""

from collections.abc import Mapping, Sequence

from tests.costs.measure import Advance
from tests.costs.measure.load_generator import ADD, Request, call, put_load
from tests.costs.measure.own_core import can_pin, own_core
from tests.costs.measure.running_apps import ROWS, fill, twins_of
from tests.costs.measure.usage import put_load_and_look
from tests.costs.records import ApplicationName, PinnedTier, ServerUsage
from todo_stack.stack import Stack
from todo_stack.twins import PLAIN, RESTATE

SECONDS, WARM_UP_SECONDS = 3.0, 0.7

TIERS: Mapping[ApplicationName, tuple[str, Request]] = {
    PLAIN.key: (PLAIN.title, ADD),
    # Past its web: with it, the other core would have more to do.
    RESTATE.key: (RESTATE.writer, call("TodoService/add_todo")),
}
"""Of each twin the server that is pinned, and what is sent: so chosen that its core should have the most to do."""


def measure(stack: Stack, usage: Sequence[ServerUsage], clients: int, step: Advance) -> list[PinnedTier]:
    """Return the adds of each twin with one server pinned; nothing where the system does not pin, or has one core."""
    if not can_pin():
        return []
    taken = {(one.application, one.server): one.cpu_ms for one in usage}
    found = []
    for twin in twins_of(stack):
        server, request = TIERS[twin.name]
        url = stack.ports.ingress_url if twin.name == RESTATE.key else twin.url
        fill(twin.database, ROWS)
        with own_core(stack.servers, [server]):
            put_load(url, request, clients=clients, seconds=WARM_UP_SECONDS)
            sample, used = put_load_and_look(url, request, stack.servers, clients=clients, seconds=SECONDS)
        others = sum(used.values()) - used[server] + 1000 * sample.cpu_seconds
        found.append(
            PinnedTier(
                application=twin.name,
                server=server,
                cpu_ms=taken[twin.name, server],
                per_second=round(sample.throughput, 1),
                busy=round(used[server] / 1000 / sample.seconds, 3),
                others_busy=round(others / 1000 / sample.seconds, 3),
            )
        )
        step(f"pinned, {server}")
    return found
