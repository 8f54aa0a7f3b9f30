"""The answer in a few sentences, computed from the results."""

from tests.bench.results import Closed, Contestant, Results
from tests.bench.words import figure, meant


def answer(results: Results) -> list[str]:
    """Return the sentences for which there are figures."""
    return [sentence for sentence in (_time(results), _throughput(results), _recovery(results)) if sentence]


def add(results: Results, contestant: Contestant, *, most: bool) -> Closed | None:
    """Return the adds of a contestant by the fewest or the most clients."""
    found = [one for one in results.closed if (one.contestant, one.operation) == (contestant, "add")]
    choose = max if most else min
    return choose(found, key=lambda one: one.clients, default=None)


def _time(results: Results) -> str:
    basic, restate = (add(results, twin, most=False) for twin in ("basic", "restate"))
    if not basic or not restate:
        return ""
    plain, durable = basic.latency_ms.p50, restate.latency_ms.p50
    return (
        f"A durable add takes {figure(durable)} ms at the median where a plain one takes {figure(plain)} ms, "
        f"{figure(durable / plain)} times as long."
    )


def _throughput(results: Results) -> str:
    basic, restate = (add(results, twin, most=True) for twin in ("basic", "restate"))
    if not basic or not restate:
        return ""
    return (
        f"{restate.clients} clients together get {figure(restate.per_second.median)} durable adds a second, and "
        f"{figure(basic.per_second.median)} plain ones."
    )


def _recovery(results: Results) -> str:
    if not results.recoveries:
        return ""
    worst = max(one.applied_after_seconds for one in results.recoveries)
    longest = max(meant(one.outage_seconds) for one in results.recoveries)
    lost, twice = sum(one.lost for one in results.recoveries), sum(one.duplicated for one in results.recoveries)
    return (
        f"After outages of up to {longest} s, everything that was in flight was applied {figure(worst)} s after "
        f"the server listened again, at the latest; {lost} operations were lost and {twice} done twice."
    )
