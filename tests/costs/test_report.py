"""The page, the terminal and the READMEs show every figure of a run, none that was not measured, and what it means."""

import io
import re
from itertools import product

import pytest
from bs4 import BeautifulSoup
from rich.console import Console

from tests.costs import report
from tests.costs.changed_costs import EMPTY, KEPT, in_turn, spread, steady, usage
from tests.costs.command import PEER_COSTS
from tests.costs.peers.contestants import PEERS
from tests.costs.peers.records import OperationCost, PeerCosts
from tests.costs.peers.speeds import OTHER_OPERATIONS
from tests.costs.records import ClosedLoop, Drain, PinnedTier
from tests.costs.sections import sections
from tests.costs.show import page, text
from tests.costs.show.numbers import NONE, TIMES
from tests.costs.show.tables import Bar, Linear, Logarithmic, Section
from tests.support.control import COMPARED

PEERS_KEPT = PeerCosts.read(PEER_COSTS)
SECTIONS = sections(KEPT, PEERS_KEPT)
MEASURED = (
    "closed_loops",
    "open_loops",
    "ratios",
    "usage",
    "parts",
    "disk",
    "waterfalls",
    "recoveries",
    "drains",
    "growth",
)


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
    assert all(
        getattr(KEPT, field)
        for field in (*MEASURED, "short_lists", "short_ratios", "reads", "minimal", "both", "idle_memory_mb")
    )
    assert [row.name for row in PEERS_KEPT.rows] == [peer.name for peer in PEERS]
    measured = [(one.operation, one.name) for one in PEERS_KEPT.operations]
    assert measured in ([], list(product(OTHER_OPERATIONS, (twin.key for twin in COMPARED))))


def test_every_figure_has_its_place() -> None:
    """There is a row for each thing that was measured."""
    rows = {section.key: sum(len(table.rows) for table in section.tables) for section in SECTIONS}
    assert rows["closed"] == len(KEPT.closed_loops) + len(KEPT.short_lists)
    assert rows["open"] == len(KEPT.open_loops)
    # Of each the sum or the rest, and the total; what an add and a page could come to; and of the drains.
    assert rows["waterfall"] == sum(len(one.hops) + 2 for one in KEPT.waterfalls)
    assert rows["parts"] == sum(len(one.parts) + 2 for one in KEPT.parts) + 7
    assert rows["recovery"] == len(KEPT.recoveries) + len(KEPT.drains)
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
    kept = KEPT.model_copy(update={"drains": ()})
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
    figures = {"plain": (2, 700), "noop": (3, 600), "both": (7, 400), "restate": (6, 300)}
    figures |= {"with_run": (4, 400), "without_run": (3, 600)}
    measured = [loop for name, each in figures.items() for loop in loops(name, *each)]
    taken = usage(plain=1, noop=2, both=3.2, restate=4, with_run=3, without_run=1.5)
    costs = EMPTY.model_copy(update={"closed_loops": measured, **in_turn(5, 1), **taken})
    (section,) = (one for one in sections(costs, None) if one.key == "floor")
    over, _, without = section.tables
    assert [row.cells[1:] for row in over.rows[2:4]] == [["4.00", "2.00", NONE, "3.00"], [NONE, "3.00", "400", "3.20"]]
    assert [row.cells[1:] for row in over.rows[-3:]] == [
        [f"1.25 {TIMES}", f"2.50 {TIMES}", NONE, f"1.33 {TIMES}"],
        [NONE, f"1.50 {TIMES}", NONE, f"1.07 {TIMES}"],
        [NONE, f"1.67 {TIMES}", f"0.75 {TIMES}", f"1.25 {TIMES}"],
    ]
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
    drains = {"drains": [Drain(operations=1000, seconds=2), Drain(operations=10_000, seconds=24)]}
    found = sections(EMPTY.model_copy(update={"growth": grown, **drains}), None)
    flat, clients = (rows_of([one]) for one in found if one.key in ("recovery", "growth"))
    assert [row[5] for row in clients] == [f"{share} {TIMES}" for share in ("1.00", "1.00", "1.15", "1.18")]
    assert [row[3] for row in flat] == [f"{share} {TIMES}" for share in ("1.00", "1.20")]
    assert [mark.text for mark in draw(found).select("#growth ~ * .bad, #recovery ~ * .bad")] == [
        f"1.20 {TIMES}",
        f"1.18 {TIMES}",
    ]


@pytest.mark.parametrize("field", MEASURED)
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
