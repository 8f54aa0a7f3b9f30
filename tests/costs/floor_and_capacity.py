"""The sections about the parts of an add: what it costs at least, and what follows for many of them."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tests.costs.records import (
    BY_HYPERCORN,
    CALL,
    LEDGER,
    MINIMAL,
    NOOP,
    PAGES,
    SESSION,
    TWIN_NAMES,
    WITH_RUN,
    WITHOUT_RUN,
    ClosedLoop,
    Costs,
    Part,
    Parts,
    PinnedTier,
)
from tests.costs.show.numbers import NONE, figure, ratio, ratio_of_rounds
from tests.costs.show.tables import Linear, Plot, Row, Section, Table
from tests.support.page import counted
from todo_stack.twins import PLAIN, RESTATE

_WITHOUT_RUN = {WITHOUT_RUN: "without ctx.run", WITH_RUN: "with ctx.run"}
_BY_HYPERCORN = {NOOP: "granian", BY_HYPERCORN: "hypercorn"}

_COULD_BE = ["", "as it is", "at least", "floor"]
_LEAST = (
    "Adds a second as they would be if they went by processor time alone. At least: the durable add with the least "
    "call and a ledger step that takes no more than the plain add's session; the plain add with the least session. "
    "Floor: a plain add and a step that does nothing; a plain page; a minimal add."
)
_HALVES = ["", "in the durable add", "in the floor", "above it"]
_HALF_OF = {PLAIN.key: "what a plain add has", NOOP: "what a step that does nothing has"}

PLACES = {"web": "web", "restate": "Restate", "service": "service", "database": "database"}
"""Where a server, a hop or a part is, by the class of its colour."""

RATES = (1_000, 100_000)
"""Adds a second, on paper."""

_CHECKED = (
    "All others and the load generator share another core. The adds a second should be those on paper, as long as the "
    "server's own core is the bottleneck: the busier one, and full. The Restate twin is called at Restate's ingress: "
    "its web, on the other core, would make that the bottleneck."
)

FULL = 0.85
"""A core that is busy for so much of the time counts as full."""

Figures = tuple[float, float, float | None]
"""p50 in ms with one client, adds a second and milliseconds of processor with many."""


def floor(costs: Costs) -> Section:
    """Return the durable add beside its floor, and a step without ctx.run beside one with it."""
    clients = counted(costs.most_clients, "client")
    head = ["", "p50 ms, 1 client", f"a second, {clients}", f"CPU ms, {clients}"]
    return Section(
        "floor",
        "The floor of a durable add",
        "With a step it cannot cost less than a plain add and a durable step that does nothing. That one is called at "
        "Restate's ingress, by the load generator, and is measured in the same rounds; so are adds with ctx.run and "
        "without it.",
        [
            Table("The durable add and its floor", head, _over_floor(costs)),
            Table(
                "p50 in ms: the stretches of a durable add that the floor has, too",
                _HALVES,
                [*_halves(costs)],
                note="Both were measured in turns, by one client: the stretches in a traced twin.",
            ),
            Table("One idempotent step, called at the ingress", head, [*_compared(costs, _WITHOUT_RUN)]),
            Table("A step that does nothing, served by another server", head, [*_compared(costs, _BY_HYPERCORN)]),
        ],
    )


def _over_floor(costs: Costs) -> list[Row]:
    plain, noop, durable = (_figures(costs, name) for name in (PLAIN.key, NOOP, RESTATE.key))
    if not (plain and noop and durable):
        return []
    cpu = plain[2] + noop[2] if plain[2] and noop[2] else None
    over = costs.cpu_over_floor
    return [
        _row("plain add", plain),
        _row("durable step that does nothing", noop),
        Row(["both: the floor", figure(plain[0] + noop[0]), NONE, figure(cpu)]),
        _row("durable add", durable),
        Row(["durable add / floor", ratio_of_rounds(costs.floor), NONE, ratio(over) if over else NONE]),
    ]


def over_floor(costs: Costs) -> float | None:
    """Return the time of a durable add over that of its floor, with one client, each add in turn."""
    return next((one.total_ms / sum(one.floor_ms.values()) for one in costs.waterfalls if one.floor_ms), None)


def _halves(costs: Costs) -> Iterator[Row]:
    """Return the two parts of the floor, and what a durable add takes for the same stretches."""
    for durable in costs.waterfalls:
        for name, least in durable.floor_ms.items():
            ours = sum(hop.milliseconds for hop in durable.hops if hop.floor == name)
            yield Row([_HALF_OF[name], *map(figure, (ours, least, ours - least))])


def made_of(costs: Costs) -> Section:
    """Return what an add and a page are made of, each part beside the least that does the same."""
    return Section(
        "parts",
        "What an add and a page are made of",
        "Processor time. A part in a Python process is done many times in one thread, in turns with the least that "
        "does the same; what the other servers take is measured at them, and gunicorn's part is that of an empty "
        "answer, with many clients. The rest is what has no line here, and what all this takes longer, or less, where "
        "many threads and processes share the cores.",
        [
            *map(_made_of, costs.parts),
            Table("What it could come to", _COULD_BE, [*_could_be(costs)], note=_LEAST),
        ],
        PLACES,
    )


class Durable(NamedTuple):
    """Processor time of a durable add: as it is, with what is above the floor at its least, and at the floor; ms."""

    is_now: float
    at_least: float
    floor: float


def durable_add(costs: Costs) -> Durable | None:
    """Return what it takes and could take, if all of that was measured."""
    plain, noop, durable = map(costs.cpu_ms, (PLAIN.key, NOOP, RESTATE.key))
    parts = _parts(costs)
    if not (plain and noop and durable and parts.keys() >= {CALL, LEDGER, SESSION}):
        return None
    # The call at its least; the ledger not below the session that the floor has, too.
    least = (parts[CALL].least or 0) + max(parts[LEDGER].least or 0, parts[SESSION].ours)
    return Durable(durable, durable - (parts[CALL].ours + parts[LEDGER].ours - least), plain + noop)


def _parts(costs: Costs) -> Mapping[str, Part]:
    return {one.name: one for made in costs.parts for one in made.parts}


def _could_be(costs: Costs) -> Iterator[Row]:
    """Return what was measured, and what it would be if processor time were that of the least parts, or the floor."""
    plain, minimal, adds = costs.cpu_ms(PLAIN.key), costs.cpu_ms(MINIMAL), costs.ratio("add", most=True)
    if takes := durable_add(costs):
        yield Row(["CPU of a durable add / of its floor", *(ratio(each / takes.floor) for each in takes)])
        if adds:
            now = adds.throughput.median * takes.is_now
            yield Row(["adds a second, durable / plain", *(ratio(now / each) for each in takes)])
    pages = {one.request: one.whole for one in costs.parts if one.request in PAGES}
    if len(pages) == len(PAGES):
        of_plain, of_durable = (pages[name] for name in PAGES)
        yield Row(["CPU of a plain page / of a durable page", ratio(of_plain / of_durable), NONE, ratio(1)])
    if plain and minimal and costs.minimal and (session := _parts(costs).get(SESSION)):
        now = costs.minimal.median * plain
        could = plain, plain - session.ours + (session.least or 0), minimal
        yield Row(["adds a second, plain / minimal", *(ratio(now / each) for each in could)])


def _made_of(made: Parts) -> Table:
    parts = made.parts
    # In one thread they may take more than all together do.
    scale = Linear([made.whole, sum(one.ours for one in parts)])
    bars = scale.chain([(one.where.lower(), one.ours, one.name) for one in parts])
    rows = [
        Row([f"{one.where}: {one.name}", one.least_is or NONE, figure(one.ours), figure(one.least)], Plot([bar]))
        for one, bar in zip(parts, bars, strict=True)
    ]
    rest = made.whole - sum(one.ours for one in parts)
    rows += [
        Row(["the rest", "", figure(rest), NONE]),
        Row([f"all, {counted(made.clients, 'client')}", "", figure(made.whole), NONE]),
    ]
    return Table(f"{made.request}: ms of a core", ["part", "the least is", "ours", "least"], rows, words=2)


def _compared(costs: Costs, what: Mapping[str, str]) -> Iterator[Row]:
    """Return a row for each of two, by its name, and one for the first over the second."""
    found = [figures for name in what if (figures := _figures(costs, name))]
    if len(found) == len(what):
        yield from map(_row, what.values(), found)
        shares = [ratio(one / other) if one and other else NONE for one, other in zip(*found, strict=True)]
        yield Row([" / ".join(what.values()), *shares])


def _figures(costs: Costs, name: str) -> Figures | None:
    alone, together = (costs.loop(name, most=most) for most in (False, True))
    return _of_loops(alone, together, costs.cpu_ms(name)) if alone and together else None


def _of_loops(alone: ClosedLoop, together: ClosedLoop, cpu_ms: float | None) -> Figures:
    return alone.latency_ms.p50, together.per_second.median, cpu_ms


def _row(what: str, figures: Figures) -> Row:
    return Row([what, *map(figure, figures)])


def capacity(costs: Costs) -> Section:
    """Return what many adds a second need by the measured parts, and the check of that."""
    needs = [f"{unit} for {rate:,}/s" for unit in ("cores", "MB/s") for rate in RATES]
    head = ["twin", "server", *needs]
    checked = ["twin", "has a core for itself", "bottleneck", "ms", "on paper", "adds/s", "own busy", "other busy"]
    pinned = [Row(_check(one)) for one in costs.pinned]
    return Section(
        "capacity",
        "Capacity on paper",
        f"What an add takes with {counted(costs.most_clients, 'client')}, times so many a second: its milliseconds of "
        "a core are the cores that 1,000 a second need, and its kB their MB/s. A Python process has one core at most: "
        "more of them take more processes.",
        [
            Table("What many adds a second need", head, [*_needs(costs)], words=2),
            Table("The check: a server with one core", checked, pinned, words=3, note=_CHECKED),
        ],
        notes=[] if pinned else [("Not checked", "it takes two cores, and a system that pins processes to them.")],
    )


def _needs(costs: Costs) -> Iterator[Row]:
    for name in TWIN_NAMES:
        used = [one for one in costs.usage if one.application == name]
        parts = [(one.server, one.cpu_ms, one.written_kb) for one in used]
        written = [one.written_kb for one in used if one.written_kb is not None]
        parts += [("sum", sum(one.cpu_ms for one in used), sum(written) or None)] if used else []
        for server, cpu_ms, kilobytes in parts:
            cores = [figure(cpu_ms * rate / 1000) for rate in RATES]
            megabytes = [figure(None if kilobytes is None else kilobytes * rate / 1000) for rate in RATES]
            yield Row([name, server, *cores, *megabytes])
        for disk in (one for one in costs.disk if one.application == name):
            megabytes = [figure(disk.written_kb * rate / 1000) for rate in RATES]
            yield Row([name, "disk", *[NONE] * len(RATES), *megabytes])


def _check(one: PinnedTier) -> list[str]:
    full = max(one.busy, one.others_busy) >= FULL
    bottleneck = (one.server if one.busy >= one.others_busy else "the others") if full else "neither"
    busy = [figure(100 * share, "%") for share in (one.busy, one.others_busy)]
    return [one.application, one.server, bottleneck, *map(figure, (one.cpu_ms, one.predicted, one.per_second)), *busy]
