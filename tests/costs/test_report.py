"""The page, the terminal and the READMEs show every figure of a run, none that was not measured, and what it means."""

import io
import re
from itertools import product
from typing import Any

import pytest
from bs4 import BeautifulSoup
from rich.console import Console

from tests.costs import report
from tests.costs.command import COSTS, PEER_COSTS
from tests.costs.goals import goals
from tests.costs.peers.contestants import PEERS
from tests.costs.peers.records import OperationCost, PeerCosts
from tests.costs.peers.speeds import OTHER_OPERATIONS
from tests.costs.records import ClosedLoop, Costs, Drain, MoreClients, PinnedTier, Spread
from tests.costs.sections import sections
from tests.costs.show import page, text
from tests.costs.show.numbers import NONE, TIMES
from tests.costs.show.tables import Bar, Linear, Logarithmic, Section
from tests.support.control import COMPARED

KEPT, PEERS_KEPT = Costs.read(COSTS), PeerCosts.read(PEER_COSTS)
SECTIONS = sections(KEPT, PEERS_KEPT)
EMPTY = Costs(started=KEPT.started, seconds=1, machine=KEPT.machine, versions={}, write_path="")
MEASURED = ("closed_loops", "open_loops", "ratios", "usage", "parts", "disk", "waterfalls", "recoveries", "growth")


def rows_of(sections: list[Section]) -> list[list[str]]:
    """Return the cells of all tables."""
    return [[str(cell) for cell in row.cells] for one in sections for table in one.tables for row in table.rows]


def draw(sections: list[Section]) -> BeautifulSoup:
    """Return a page."""
    html = page.render("A <title>", ["An <add>."], sections, {"fact": "<b>"})
    assert not re.search("https?://", html)
    return BeautifulSoup(html, "html.parser")


def test_kept_results_are_whole() -> None:
    """What the READMEs show is of runs in which everything was measured."""
    assert all(getattr(KEPT, field) for field in (*MEASURED, "drain", "minimal", "floor", "idle_memory_mb"))
    assert [row.name for row in PEERS_KEPT.rows] == [peer.name for peer in PEERS]
    measured = [(one.operation, one.name) for one in PEERS_KEPT.operations]
    assert measured in ([], list(product(OTHER_OPERATIONS, (twin.key for twin in COMPARED))))


def test_every_figure_has_its_place() -> None:
    """There is a row for each thing that was measured."""
    rows = {section.key: sum(len(table.rows) for table in section.tables) for section in SECTIONS}
    assert rows["closed"] == len(KEPT.closed_loops)
    assert rows["open"] == len(KEPT.open_loops)
    # Of each the sum or the rest, and the total; what an add and a page could come to; and of the drains.
    assert rows["waterfall"] == sum(len(one.hops) + 2 for one in KEPT.waterfalls)
    assert rows["parts"] == sum(len(one.parts) + 2 for one in KEPT.parts) + 4
    assert rows["recovery"] == len(KEPT.recoveries) + 2
    assert rows["growth"] == len(KEPT.growth)
    assert len(report.price_of_durability(KEPT).rows) == 5


def test_page() -> None:
    """The page has each cell, refers to nothing outside itself, and what it is given cannot become markup."""
    document = draw(SECTIONS)
    rows = [row.select("th, td:not(.wide)") for row in document.select("tbody tr")]
    assert [[cell.get_text(strip=True) for cell in row] for row in rows] == rows_of(SECTIONS)
    assert not document.select("add, link:not([href='data:,']), img, iframe, script, dd b")
    for table in document.select("table"):
        assert {len(row.select("th, td")) for row in table.select("tr")} == {len(table.select("thead th"))}


def test_plots() -> None:
    """A dot stands for each percentile that there is, and the page says what is bad."""
    # A drain may or may not be flat; nothing that recovers is late or lost.
    kept = KEPT.model_copy(update={"drain": None, "long_drain": None})
    document = draw(sections(kept, None))
    percentiles = [value for one in KEPT.open_loops for value in one.latency_ms.model_dump().values()]
    assert len(document.select("circle")) == sum(value is not None for value in percentiles)
    assert not document.select("section[aria-labelledby=recovery] .bad")
    late = KEPT.recoveries[0].model_copy(update={"lost": 3, "applied_after_seconds": 2})
    document = draw(sections(kept.model_copy(update={"recoveries": [late]}), None))
    assert [mark.text for mark in document.select("section[aria-labelledby=recovery] .bad")] == ["3"]
    assert len(document.select("rect.late")) == 1


def test_terminal_and_markdown() -> None:
    """Both have each cell, in 80 columns too; in Markdown each row has as many as its head."""
    terminal = io.StringIO()
    text.print_all(SECTIONS, report.answer(KEPT), Console(file=terminal, width=80))
    printed, markdown = terminal.getvalue(), text.sections_in_markdown(SECTIONS)
    for row in rows_of(SECTIONS):
        assert all(cell in markdown for cell in row)
        # Cells are broken between words, and no word is cut.
        assert all(word in printed for cell in row for word in cell.split())
    tables = re.findall(r"(?:^\|.*\n?)+", markdown, re.MULTILINE)
    assert len(tables) == sum(len(section.tables) for section in SECTIONS)
    assert all(len({line.count("|") for line in table.splitlines()}) == 1 for table in tables)


def test_other_operations() -> None:
    """What only the twins and the control do has a table of its own, and none where only the add was measured."""
    costs = [
        OperationCost(operation=kind, name=twin.key, p50_ms=spread(2.5), per_second=spread(300))
        for kind, twin in product(OTHER_OPERATIONS, COMPARED)
    ]
    (peers,) = sections(EMPTY, PEERS_KEPT.model_copy(update={"operations": costs}))[1:]
    (*_, table) = peers.tables
    expected = [[kind, twin.title, "2.50", "300"] for kind, twin in product(OTHER_OPERATIONS, COMPARED)]
    assert [row.cells for row in table.rows] == expected
    assert draw([peers]).find("h3", string=table.caption)
    assert table.caption in text.sections_in_markdown([peers])

    (peers,) = sections(EMPTY, PEERS_KEPT.model_copy(update={"operations": ()}))[1:]
    assert len(peers.tables) == 2


def loops(application: str, p50: float, per_second: float) -> list[ClosedLoop]:
    """Return adds by one client and by many."""
    kept = [one for one in KEPT.closed_loops if (one.request, one.application) == ("add", "plain")]
    latency = kept[0].latency_ms.model_copy(update={"p50": p50})
    changes = {"application": application, "latency_ms": latency, "per_second": steady(per_second)}
    return [one.model_copy(update=changes) for one in kept]


def test_floor() -> None:
    """It is the plain add and the step that does nothing; an add without ctx.run stands beside one with it."""
    figures = {"plain": (2, 700), "noop": (3, 600), "restate": (6, 300), "with_run": (4, 400), "without_run": (3, 600)}
    measured = [loop for name, each in figures.items() for loop in loops(name, *each)]
    taken = usage(plain=1, noop=2, restate=4, with_run=3, without_run=1.5)
    costs = EMPTY.model_copy(update={"closed_loops": measured, "floor": steady(1.2), **taken})
    (section,) = (one for one in sections(costs, None) if one.key == "floor")
    over, without = section.tables
    assert over.rows[2].cells == ["both: the floor", "5.00", NONE, "3.00"]
    assert over.rows[-1].cells == ["durable add / floor", f"1.20 {TIMES} (1.20 to 1.20)", NONE, f"1.33 {TIMES}"]
    name = "without ctx.run / with ctx.run"
    assert without.rows[-1].cells == [name, *(f"{share} {TIMES}" for share in ("0.75", "1.50", "0.50"))]
    assert draw([section]).select("#floor")
    assert sum("floor" in line for line in report.answer(costs)) == 1


@pytest.mark.parametrize(
    ("busy", "others_busy", "bottleneck"), [(0.9, 0.4, "restate_app"), (0.9, 0.95, "the others"), (0.8, 0.4, "neither")]
)
def test_check_of_capacity(busy: float, others_busy: float, bottleneck: str) -> None:
    """What is on paper is compared with what was measured, and it is said whether that proves anything."""
    one = PinnedTier(
        application="restate", server="restate_app", cpu_ms=2, per_second=480, busy=busy, others_busy=others_busy
    )
    (section,) = (one for one in sections(EMPTY.model_copy(update={"pinned": [one]}), None) if one.key == "capacity")
    assert section.tables[-1].rows[0].cells[1:6] == ["restate_app", bottleneck, "2.00", "500", "480"]


def test_curves() -> None:
    """What grows by more than the limit with the work is marked, each twin against its own first row."""
    kept = next(one for one in KEPT.growth if one.what == "rows")
    rows = [("plain", 1), ("restate", 4), ("plain", 1.15), ("restate", 4.7)]
    grown = [kept.model_copy(update={"what": "clients", "application": name, "cpu_ms": ms}) for name, ms in rows]
    drains = {"drain": Drain(operations=1000, seconds=2), "long_drain": Drain(operations=10_000, seconds=24)}
    found = sections(EMPTY.model_copy(update={"growth": grown, **drains}), None)
    flat, clients = (rows_of([one]) for one in found if one.key in ("recovery", "growth"))
    assert [row[5] for row in clients] == [f"{share} {TIMES}" for share in ("1.00", "1.00", "1.15", "1.18")]
    assert [row[3] for row in flat] == [f"{share} {TIMES}" for share in ("1.00", "1.20")]
    assert [mark.text for mark in draw(found).select("#growth ~ * .bad, #recovery ~ * .bad")] == [
        f"1.20 {TIMES}",
        f"1.18 {TIMES}",
    ]


@pytest.mark.parametrize("field", [*MEASURED, "drain"])
def test_part_of_a_run(field: str) -> None:
    """What was not measured has no section but the goals; any one field alone can be shown."""
    assert [section.key for section in sections(EMPTY, None)] == ["goals"]
    part = EMPTY.model_copy(update={field: getattr(KEPT, field)})
    assert draw(sections(part, None)).select("#goals")


def test_scales() -> None:
    """The largest value fills a linear scale; bars follow one another; a power of ten is as far as another."""
    linear = Linear([2, 8])
    assert linear.bar(2, "x").bars == [Bar("x", 0, 25)]
    assert [(bar.start, bar.width) for bar in linear.chain([("x", 2, ""), ("y", 6, "")])] == [(0, 25), (25, 75)]
    ticks = [tuple(tick) for tick in Logarithmic([3, 40, 700]).ticks]
    assert ticks == [(0, "1"), (33.33, "10"), (66.67, "100"), (100, "1000")]


def spread(median: float) -> Spread:
    """Return a spread whose rounds differ much: the median counts."""
    return Spread(median=median, low=median / 2, high=median * 2)


def steady(value: float) -> Spread:
    """Return a spread whose rounds are alike."""
    return Spread(median=value, low=value, high=value)


def usage(**cpu_ms: float) -> dict[str, Any]:
    """Return what one add takes with each of these."""
    kept = KEPT.usage[0]
    return {"usage": [kept.model_copy(update={"application": name, "cpu_ms": ms}) for name, ms in cpu_ms.items()]}


def pages(more_clients: float, a_second: float = 435) -> dict[str, Any]:
    """Return lists by 8 clients, and how they compare with those of 1."""
    loops = [one for one in KEPT.closed_loops if (one.request, one.clients) == ("list", 8)]
    more = MoreClients(application="plain", request="list", clients=8, fewer=1, throughput=spread(more_clients))
    return {
        "closed_loops": [one.model_copy(update={"per_second": spread(a_second)}) for one in loops],
        "more_clients": [more],
    }


def ratio(request: str, clients: int, **changed: Spread) -> dict[str, Any]:
    """Return the kept ratios with one changed."""
    meant = (request, clients)
    return {
        "ratios": [one.model_copy(update=changed if (one.request, one.clients) == meant else {}) for one in KEPT.ratios]
    }


def outages(*after: float, **harm: int) -> dict[str, Any]:
    """Return outages after which everything was applied so late."""
    kept = KEPT.recoveries[0]
    return {"recoveries": [kept.model_copy(update={"applied_after_seconds": one, **harm}) for one in after]}


def memory(database: float) -> dict[str, Any]:
    """Return the idle memory of servers; the plain twin's does not count."""
    return {"idle_memory_mb": {"plain": {"db": 5000.0}, "restate": {"restate_app": 600.0, "db": database}}}


@pytest.mark.parametrize(
    ("name", "changes", "met"),
    [
        ("p50 against", {"floor": spread(1.15)}, True),
        ("p50 against", {"floor": spread(1.16)}, False),
        ("processor", usage(plain=2, noop=2, restate=4.6), True),
        ("processor", usage(plain=2, noop=2, restate=4.61), False),
        ("durable adds per second", ratio("add", 32, throughput=spread(0.65)), True),
        ("durable adds per second", ratio("add", 32, throughput=spread(0.64)), False),
        ("pages of 100", pages(1), True),
        ("pages of 100", pages(1, 434), False),
        # Within the spread: the best round decides.
        ("pages a second", pages(1), True),
        ("pages a second", pages(0.99), False),
        # The number of clients at which the Restate twin comes off worst decides.
        ("reads", ratio("list", 8, throughput=spread(0.5)), False),
        ("minimal", {"minimal": spread(0.6)}, True),
        ("minimal", {"minimal": spread(0.59)}, False),
        # The slowest recovery counts, and what is lost or done twice has not recovered.
        ("recovery after any outage", outages(0.2, 0.99), True),
        ("recovery after any outage", outages(0.2, 1.0), False),
        ("recovery after any outage", outages(0.2, lost=1), False),
        ("recovery after any outage", outages(0.2, duplicated=1), False),
        ("drain", {"drain": Drain(operations=1000, seconds=4.9)}, True),
        ("drain", {"drain": Drain(operations=1000, seconds=5)}, False),
        # A smaller backlog has less time.
        ("drain", {"drain": Drain(operations=500, seconds=2.6)}, False),
        ("drain", {"drain": Drain(operations=2000, seconds=6)}, False),
        ("memory", memory(99.9), True),
        ("memory", memory(100), False),
    ],
)
def test_goal(name: str, changes: dict[str, Any], met: bool) -> None:
    """A goal is met up to its limit and missed beyond."""
    (goal,) = (one.cells for one in goals(KEPT.model_copy(update=changes)) if name in str(one.cells[0]))
    assert str(goal[3]) == ("met" if met else "missed")


@pytest.mark.parametrize(
    ("adds", "p50", "expected"),
    [
        (350, 5, ["met", "met", "met", "met"]),
        (349, 5, ["missed", "met", "met", "met"]),
        # Their best turn against its worst one, of each.
        (89, 5, ["missed", "missed", "missed", "met"]),
        (350, 20, ["met", "met", "met", "missed"]),
    ],
)
def test_against_peers(adds: float, p50: float, expected: list[str]) -> None:
    """It takes a run of the peers, and is not measured without one, or without one of them."""
    others = {"p50_ms": steady(10), "adds_per_second": steady(100)}
    own = {"p50_ms": steady(p50), "adds_per_second": steady(adds)}
    rows = [one.model_copy(update=own if one.name == "restate" else others) for one in PEERS_KEPT.rows]

    def verdicts(peers: PeerCosts | None) -> list[str]:
        return [str(one.cells[3]) for one in goals(KEPT, peers) if re.search("DBOS|outbox", str(one.cells[0]))]

    assert verdicts(PEERS_KEPT.model_copy(update={"rows": rows})) == expected
    some = [one for one in rows if one.name != "celery"]
    assert verdicts(PEERS_KEPT.model_copy(update={"rows": some}))[2:] == ["not measured"] * 2
    assert verdicts(None) == ["not measured"] * 4


def test_nothing_measured() -> None:
    """A goal for which nothing was measured is neither met nor missed."""
    assert {(str(one.cells[3]), one.cells[2]) for one in goals(EMPTY)} == {("not measured", NONE)}
