"""The sections about the parts of an add and a page: what they cost at least, and what they could come to."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tests.costs.part_names import CALL, FLASK, LEDGER, PAGES, PENDING, SESSION, TEMPLATE
from tests.costs.records import BY_HYPERCORN, MINIMAL, NOOP, WITH_RUN, WITHOUT_RUN, Costs, Part, Parts
from tests.costs.show.numbers import NONE, figure, ratio
from tests.costs.show.tables import Linear, Plot, Row, Section, Table
from tests.support.page import counted
from todo_stack.twins import PLAIN, RESTATE

_WITHOUT_RUN = {WITHOUT_RUN: "without ctx.run", WITH_RUN: "with ctx.run"}
_BY_HYPERCORN = {NOOP: "granian", BY_HYPERCORN: "hypercorn"}

_COULD_BE = ["", "as it is", "at least", "floor"]
_LEAST = (
    "How many a second there would be if processor time alone decided. At least: a durable add with the least call and "
    "a ledger step that takes no more than the plain add's session, which the floor has, too; a durable page that "
    "differs from the plain one only in what it tells of what is pending; a page of which every part is the least; a "
    "plain add with the packages agreed on and no code of the twin around its session. Floor: a plain add and a step "
    "that does nothing; a plain page; a minimal add. The last figure checks such sums: it would be 1 if processor time "
    "alone did decide."
)
_ONE_CLIENT = ["", "p50 ms, in turn", "p50 ms, one after the other"]
_ALONE = (
    "The first two columns are of one client that sends and reads on a socket: each add in turn with the others, and "
    "hundreds of each one after the other."
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
    names = {PLAIN.key: "plain add", NOOP: "durable step that does nothing", RESTATE.key: "durable add"}
    taken = {name: [in_turn.get(name), alone.get(name), *_of_many(costs, name)] for name in names}
    if not any(any(each) for each in taken.values()):
        return []
    plain, noop, durable = (Row([what, *map(figure, taken[name])]) for name, what in names.items())
    sums = [one + other if one and other else None for one, other in zip(taken[PLAIN.key], taken[NOOP], strict=True)]
    sums[2] = None  # Nobody does both in one second.
    over = [one / least if one and least else None for one, least in zip(taken[RESTATE.key], sums, strict=True)]
    shares = [ratio(each) if each else NONE for each in over]
    return [
        plain,
        noop,
        Row(["both: the floor", *map(figure, sums)]),
        durable,
        Row(["durable add / floor", *shares]),
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
    made = {one.request: one for one in costs.parts}
    if made.keys() >= {*PAGES}:
        yield from _pages_could_be(costs, *(made[name] for name in PAGES))
    if plain and minimal and costs.minimal and (flask := _parts(costs).get(FLASK)):
        now = costs.minimal.median * plain
        could = plain, plain - flask.ours + (flask.least or flask.ours), minimal
        yield Row(["adds a second, plain / minimal", *(ratio(now / each) for each in could)])


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
