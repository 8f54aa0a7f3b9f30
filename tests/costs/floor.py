"""The sections about the parts of an add and a page: what they cost at least, and what they could come to."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from tests.costs.part_names import CALL, FLASK, LEDGER, PAGES, PENDING, SESSION, TEMPLATE
from tests.costs.records import (
    BOTH,
    BY_HYPERCORN,
    MINIMAL,
    NOOP,
    WITH_RUN,
    WITHOUT_RUN,
    ApplicationName,
    Costs,
    Part,
    Parts,
)
from tests.costs.show.numbers import NONE, figure, ratio
from tests.costs.show.tables import Linear, Plot, Row, Section, Table
from tests.support.page import counted
from todo_stack.twins import PLAIN, RESTATE

_WITHOUT_RUN = {WITHOUT_RUN: "without ctx.run", WITH_RUN: "with ctx.run"}
_BY_HYPERCORN = {NOOP: "granian", BY_HYPERCORN: "hypercorn"}

_COULD_BE = ["", "as it is", "at least", "floor"]
_LEAST = (
    "Of a durable add, the floor was measured: both parts of it in one piece, where the load generator makes the "
    "call at the ingress. At least: that, with a call by urllib3, the ledger's row by psycopg2, and what Restate "
    "and PostgreSQL take more for a durable add, as it is. The rest is how many a second there would be if "
    "processor time alone decided. At least: a durable page that is other than the plain one only in what it tells "
    "of what is pending; a page of which every part is the least; a plain add with the packages agreed on and no "
    "code of the twin around its session. Floor: a plain page; a minimal add. The last figure checks such sums: it "
    "would be 1 if processor time alone did decide."
)
_ONE_CLIENT = ["", "p50 ms, in turn", "p50 ms, one after the other"]
_ALONE = (
    "The first two columns are of one client that sends and reads on a socket: each add in turn with the others, and "
    "hundreds of each one after the other. The sum has each part of the floor by itself, and what servers do over and "
    "over again they do for less. In one piece, each client makes a plain add, and then calls the step, as a durable "
    "add does both."
)
_HALVES = ["", "in the durable add", "in the floor", "above it"]
_HALF_OF = {PLAIN.key: "what a plain add has", NOOP: "what a step that does nothing has"}

PLACES = {"web": "web", "restate": "Restate", "service": "service", "database": "database"}
"""Where a server, a hop or a part is, by the class of its colour."""

Figures = tuple[float, float, float | None]
"""p50 in ms with one client, adds a second and milliseconds of processor with many."""


def floor(costs: Costs) -> Section:
    """Return the durable add beside its floor, and a step without ctx.run beside one with it."""
    clients = counted(costs.most_clients, "client")
    with_many = [f"a second, {clients}", f"CPU ms, {clients}"]
    head = ["", "p50 ms, 1 client", *with_many]
    return Section(
        "floor",
        "The floor of a durable add",
        "With a step it cannot cost less than a plain add and a durable step that does nothing. That one is called at "
        "Restate's ingress, without the web; so are adds with ctx.run and without it.",
        [
            Table("The durable add and its floor", [*_ONE_CLIENT, *with_many], _over_floor(costs), note=_ALONE),
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
    in_turn, alone = _one_client(costs)

    def taken(name: ApplicationName) -> list[float | None]:
        return [in_turn.get(name), alone.get(name), *_of_many(costs, name)]

    def over(these: Sequence[float | None], those: Sequence[float | None]) -> list[str]:
        return [ratio(one / other) if one and other else NONE for one, other in zip(these, those, strict=True)]

    plain, noop, both, durable = map(taken, (PLAIN.key, NOOP, BOTH, RESTATE.key))
    sums = [one + other if one and other else None for one, other in zip(plain, noop, strict=True)]
    sums[2] = None  # Nobody does both in one second.
    if not any(sums):
        return []
    return [
        Row(["plain add", *map(figure, plain)]),
        Row(["durable step that does nothing", *map(figure, noop)]),
        Row(["both: the floor, a sum", *map(figure, sums)]),
        Row(["both: the floor, in one piece", *map(figure, both)]),
        Row(["durable add", *map(figure, durable)]),
        Row(["durable add / the sum", *over(durable, sums)]),
        Row(["in one piece / the sum", *over(both, sums)]),
        Row(["durable add / in one piece", *over(durable, both)]),
    ]


def _of_many(costs: Costs, name: str) -> list[float | None]:
    loop = costs.loop(name, most=True)
    return [loop.per_second.median if loop else None, costs.cpu_ms(name)]


def _one_client(costs: Costs) -> tuple[Mapping[str, float], Mapping[str, float]]:
    """Return the p50 of an add and its floor, in ms: of each in turn, and one after the other."""
    for one in costs.waterfalls:
        if one.floor_ms:
            return {one.application: one.total_ms, **one.floor_ms}, one.alone_ms
    return {}, {}


def over_floor(costs: Costs) -> float | None:
    """Return the time of a durable add over that of its floor, with one client, each add in turn."""
    return _over(_one_client(costs)[0])


def over_floor_alone(costs: Costs) -> float | None:
    """Return the same of many of each one after the other."""
    return _over(_one_client(costs)[1])


def over_both(costs: Costs) -> tuple[float | None, float | None]:
    """Return the time and the processor time of a durable add over those of both parts of its floor in one piece."""
    alone, cpu = _one_client(costs)[1], [costs.cpu_ms(name) for name in (RESTATE.key, BOTH)]
    return alone[RESTATE.key] / alone[BOTH] if BOTH in alone else None, cpu[0] / cpu[1] if cpu[0] and cpu[1] else None


def _over(taken: Mapping[str, float]) -> float | None:
    return taken[RESTATE.key] / (taken[PLAIN.key] + taken[NOOP]) if taken else None


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
        "answer, with many clients. Where no least stands, it counts as it is: nothing that is agreed on does the same "
        "for less. The rest is what has no line here, and what all this takes longer, or less, where many threads and "
        "processes share the cores.",
        [
            *map(_made_of, costs.parts),
            Table("What it could come to", _COULD_BE, [*_could_be(costs)], note=_LEAST),
        ],
        PLACES,
    )


class Durable(NamedTuple):
    """Processor time of a durable add, in ms: as it is, its floor in one piece, and that with the least it lacks."""

    is_now: float
    at_least: float
    floor: float


_OF_BOTH = BOTH, RESTATE.key


def durable_add(costs: Costs) -> Durable | None:
    """Return what it takes and could take, if all of that was measured.

    Its floor lacks the call at the ingress, the ledger's row, and what Restate and PostgreSQL take more for that, which
    counts as it is.
    """
    both, durable = ({one.server: one.cpu_ms for one in costs.usage if one.application == name} for name in _OF_BOTH)
    parts = _parts(costs)
    if not (both and durable and parts.keys() >= {CALL, LEDGER, SESSION}):
        return None
    row = (parts[LEDGER].least or 0) - (parts[SESSION].least or 0)
    more = sum(max(0, durable[server] - both[server]) for server in ("restate", "db"))
    floor = sum(both.values())
    return Durable(sum(durable.values()), floor + (parts[CALL].least or 0) + max(0, row) + more, floor)


def _with_generator(costs: Costs, name: ApplicationName) -> float:
    """Return what an add takes with that of the load generator, which makes two requests for the floor; ms."""
    loop = costs.loop(name, most=True)
    return (costs.cpu_ms(name) or 0) + (1000 * loop.generator_cpu / loop.per_second.median if loop else 0)


def _parts(costs: Costs) -> Mapping[str, Part]:
    return {one.name: one for made in costs.parts for one in made.parts}


def _could_be(costs: Costs) -> Iterator[Row]:
    """Return what was measured, and what it would be if processor time were that of the least parts, or the floor."""
    plain, minimal, adds = costs.cpu_ms(PLAIN.key), costs.cpu_ms(MINIMAL), costs.ratio("add", most=True)
    _, alone = _one_client(costs)
    if alone.keys() >= {PLAIN.key, NOOP, BOTH}:
        durable, both = (ratio(alone[name] / (alone[PLAIN.key] + alone[NOOP])) for name in (RESTATE.key, BOTH))
        yield Row(["p50 of a durable add / of its floor, a sum, one after the other", durable, NONE, both])
    if takes := durable_add(costs):
        if summed := sum(costs.cpu_ms(name) or 0 for name in (PLAIN.key, NOOP)):
            yield Row(["CPU of a durable add / of its floor, a sum", *(ratio(each / summed) for each in takes)])
        if adds and costs.both:
            floor, now = (_with_generator(costs, name) for name in _OF_BOTH)
            at_least = costs.both.median * floor / (now - takes.is_now + takes.at_least)
            could = adds.throughput.median, at_least, costs.both.median
            yield Row(["adds a second, durable / plain", *map(ratio, could)])
    made = {one.request: one for one in costs.parts}
    if made.keys() >= {*PAGES}:
        yield from _pages_could_be(costs, *(made[name] for name in PAGES))
    if plain and minimal and costs.minimal and (flask := _parts(costs).get(FLASK)):
        per_second = costs.minimal.median * plain
        could = plain, plain - flask.ours + (flask.least or flask.ours), minimal
        yield Row(["adds a second, plain / minimal", *(ratio(per_second / each) for each in could)])


def _pages_could_be(costs: Costs, plain: Parts, durable: Parts) -> Iterator[Row]:
    by_name = [{part.name: part.ours for part in made.parts} for made in (plain, durable)]
    more = sum(by_name[1][name] - by_name[0].get(name, 0) for name in (TEMPLATE, PENDING))
    least = plain.whole / (plain.whole + max(more, 0))
    yield Row(["CPU of a plain page / of a durable page", ratio(plain.whole / durable.whole), ratio(least), ratio(1)])
    for made, twin in ((plain, PLAIN), (durable, RESTATE)):
        loops = [one for one in costs.closed_loops if (one.application, one.request) == (twin.key, "list")]
        for loop in (one for one in loops if one.clients == made.clients):
            now = loop.per_second.median
            could = figure(now * made.whole / _at_least(made))
            yield Row([f"pages a second, {twin.title}, {counted(made.clients, 'client')}", figure(now), could, NONE])


def _at_least(made: Parts) -> float:
    """Return what it would take if each part took its least."""
    return made.whole - sum(part.ours - part.least for part in made.parts if part.least is not None)


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
    note = " ".join(one.note for one in parts if one.note)
    rows += [
        Row(["the rest", "", figure(rest), NONE]),
        Row([f"all, {counted(made.clients, 'client')}", "", figure(made.whole), NONE]),
    ]
    return Table(f"{made.request}: ms of a core", ["part", "the least is", "ours", "least"], rows, words=2, note=note)


def _compared(costs: Costs, what: Mapping[str, str]) -> Iterator[Row]:
    """Return a row for each of two, by its name, and one for the first over the second."""
    found = [figures for name in what if (figures := _figures(costs, name))]
    if len(found) == len(what):
        yield from map(_row, what.values(), found)
        shares = [ratio(one / other) if one and other else NONE for one, other in zip(*found, strict=True)]
        yield Row([" / ".join(what.values()), *shares])


def _figures(costs: Costs, name: str) -> Figures | None:
    alone, together = (costs.loop(name, most=most) for most in (False, True))
    return (alone.latency_ms.p50, together.per_second.median, costs.cpu_ms(name)) if alone and together else None


def _row(what: str, figures: Figures) -> Row:
    return Row([what, *map(figure, figures)])
