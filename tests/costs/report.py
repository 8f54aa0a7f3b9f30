"""What is shown of a run, once for the page, the terminal and the READMEs.

The READMEs have it from cog: tables and sentences between `[[[cog` and `[[[end]]]` are written by `make readme`.
"""

from datetime import timedelta

from tests.costs.command import COSTS, PEER_COSTS
from tests.costs.floor import over_both, over_floor, over_floor_alone
from tests.costs.peers.records import PeerCosts
from tests.costs.records import Costs, RequestKind
from tests.costs.sections import sections
from tests.costs.show.numbers import figure, in_words, measured_on, ratio, ratio_of_rounds
from tests.costs.show.tables import Row, Table
from tests.costs.show.text import sections_in_markdown, table_in_markdown
from tests.support.page import counted
from tests.support.run_environment import MAIN_VERSIONS
from todo_stack.twins import PLAIN, RESTATE, TWINS


def figures_for_readme() -> str:
    """Return all figures that are kept in the repository, as Markdown."""
    costs, peers = Costs.read(COSTS), PeerCosts.read(PEER_COSTS)
    parts = [" ".join(answer(costs)), measured_on(costs, MAIN_VERSIONS), sections_in_markdown(sections(costs, peers))]
    return "\n\n".join(parts)


def short_table_for_readme() -> str:
    """Return the table of five rows, and what it was measured on, as Markdown."""
    costs = Costs.read(COSTS)
    note = "Ratios are medians of those of each round, in which the twins take turns."
    return f"{table_in_markdown(price_of_durability(costs))}\n\n{note} {measured_on(costs, MAIN_VERSIONS)}"


def answer(costs: Costs) -> list[str]:
    """Return the answer in five lines, as far as there are figures."""
    found = []
    if costs.closed_loops:
        p50, durable_p50 = (figure(one.latency_ms.p50, "ms") for one in costs.of_twins("add", most=False))
        plain, durable = (figure(one.per_second.median) for one in costs.of_twins("add", most=True))
        found = [
            f"A durable add takes {durable_p50} at the median where a plain one takes {p50}.",
            f"{counted(costs.most_clients, 'client')} together get {durable} durable adds a second, and {plain} plain "
            "ones.",
        ]
    durable_cpu, plain_cpu = (costs.cpu_ms(twin.key) for twin in (RESTATE, PLAIN))
    if durable_cpu and plain_cpu:
        found.append(
            f"A durable add takes {figure(durable_cpu, 'ms')} of a core, a plain one {figure(plain_cpu, 'ms')}: 1,000 "
            "a second need as many cores, on paper."
        )
    in_turn, alone, (time, cpu) = over_floor(costs), over_floor_alone(costs), over_both(costs)
    if in_turn and alone and time and cpu and (over := costs.cpu_over_floor):
        found.append(
            "Against its floor, a plain add and a durable step that does nothing, the durable add takes "
            f"{ratio(in_turn)} the time in turn with them, {ratio(alone)} where many of each follow one another, and "
            f"{ratio(over)} the processor; where a client does both in one piece, {ratio(time)} the time, and "
            f"{ratio(cpu)} the processor."
        )
    if costs.recoveries:
        worst = max(one.applied_after_seconds for one in costs.recoveries)
        longest = max(one.meant_seconds for one in costs.recoveries)
        lost, twice = costs.lost_and_duplicated
        found.append(
            f"After outages of up to {longest:,} s, everything that was in flight was applied at the latest "
            f"{figure(worst, 's')} after the server listened again; {lost:,} operations were lost and "
            f"{twice:,} done twice."
        )
    return found


def price_of_durability(costs: Costs) -> Table:
    """Return the one price of an add, and what else a reader wants to know first, in five rows, of a whole run."""
    idle = [costs.idle_memory_mb[twin.key] for twin in TWINS]
    servers, memory = [len(each) for each in idle], [sum(each.values()) for each in idle]
    together = costs.ratio("add", most=True)
    cells = [
        _median_time(costs, "add"),
        [
            f"adds a second, {counted(costs.most_clients, 'client')}",
            *(figure(loop.per_second.median) for loop in costs.of_twins("add", most=True)),
            ratio_of_rounds(together.throughput if together else None),
        ],
        _median_time(costs, "list"),
        ["servers, with the database", *map(str, servers), f"{servers[1] - servers[0]:,} more"],
        ["resident memory, idle", *(figure(one, "MB") for one in memory), ratio(memory[1] / memory[0])],
    ]
    head = ["", *(twin.title for twin in TWINS), "Restate / plain"]
    return Table("What durability costs", head, [Row(each) for each in cells])


def _median_time(costs: Costs, request: RequestKind) -> list[str]:
    times = [figure(loop.latency_ms.p50, "ms") for loop in costs.of_twins(request, most=False)]
    alone = costs.ratio(request, most=False)
    return [f"one {request}, one client, median", *times, ratio_of_rounds(alone.p50 if alone else None)]


def facts(costs: Costs) -> dict[str, str]:
    """Return how it was measured, for the page."""
    generator = max((one.generator_cpu for one in costs.closed_loops), default=None)
    return {
        "started": f"{costs.started:%Y-%m-%d %H:%M %Z}, took {timedelta(seconds=round(costs.seconds))}",
        "machine": in_words(costs.machine),
        **({"load generator": f"{figure(generator * 100, '%')} of one core at most"} if generator else {}),
        "write path": costs.write_path,
        **costs.versions,
        **{f"{name}, settings": setting for name, setting in costs.settings.items()},
    }
