"""The page, the terminal and the READMEs show every figure of a run, and none that was not measured."""

import io
import re

import pytest
from bs4 import BeautifulSoup
from rich.console import Console

from tests.costs import report
from tests.costs.command import COSTS, PEER_COSTS
from tests.costs.peers.contestants import PEERS
from tests.costs.peers.records import PeerCosts
from tests.costs.records import Costs
from tests.costs.show import console, markdown, page
from tests.costs.show.plots import Bar, Linear, Logarithmic
from tests.costs.show.tables import Section

MEASURED = ("closed_loops", "open_loops", "ratios", "usage", "disk", "waterfalls", "recoveries", "growth")


def rows_of(sections: list[Section]) -> list[list[str]]:
    """Return the cells of all tables."""
    return [[str(cell) for cell in row.cells] for one in sections for table in one.tables for row in table.rows]


@pytest.fixture(scope="module")
def costs() -> Costs:
    """The run that is kept."""
    return Costs.read(COSTS)


@pytest.fixture(scope="module")
def sections(costs: Costs) -> list[Section]:
    """Its tables, and those of the peers."""
    return report.sections(costs, PeerCosts.read(PEER_COSTS))


def draw(sections: list[Section]) -> BeautifulSoup:
    """Return a page."""
    html = page.render("A <title>", ["An <add>."], sections, {"fact": "<b>"})
    assert not re.search("https?://", html)
    return BeautifulSoup(html, "html.parser")


def test_kept_results_are_whole(costs: Costs) -> None:
    """What the READMEs show is of runs in which everything was measured."""
    assert all(getattr(costs, field) for field in (*MEASURED, "drain", "minimal", "idle_memory_mb"))
    peers = PeerCosts.read(PEER_COSTS)
    assert [row.name for row in peers.rows] == [peer.name for peer in PEERS]


def test_every_figure_has_its_place(costs: Costs, sections: list[Section]) -> None:
    """There is a row for each thing that was measured."""
    rows = {section.key: sum(len(table.rows) for table in section.tables) for section in sections}
    assert rows["closed"] == len(costs.closed_loops)
    assert rows["open"] == len(costs.open_loops)
    # Of each twin the sum and the total; of the drain one more.
    assert rows["waterfall"] == sum(len(one.hops) + 2 for one in costs.waterfalls)
    assert rows["recovery"] == len(costs.recoveries) + 1
    assert rows["growth"] == len(costs.growth)
    assert len(report.price_of_durability(costs).rows) == 5


def test_page(sections: list[Section]) -> None:
    """The page has each cell, refers to nothing outside itself, and what it is given cannot become markup."""
    document = draw(sections)
    rows = [row.select("th, td:not(.wide)") for row in document.select("tbody tr")]
    assert [[cell.get_text(strip=True) for cell in row] for row in rows] == rows_of(sections)
    assert not document.select("add, link:not([href='data:,']), img, iframe, script, dd b")
    for table in document.select("table"):
        assert {len(row.select("th, td")) for row in table.select("tr")} == {len(table.select("thead th"))}


def test_plots(costs: Costs, sections: list[Section]) -> None:
    """A dot stands for each percentile that there is, and the page says what is bad."""
    document = draw(sections)
    percentiles = [value for one in costs.open_loops for value in one.latency_ms.model_dump().values()]
    assert len(document.select("circle")) == sum(value is not None for value in percentiles)
    assert not document.select("section[aria-labelledby=recovery] .bad")
    late = costs.recoveries[0].model_copy(update={"lost": 3, "applied_after_seconds": 2})
    document = draw(report.sections(costs.model_copy(update={"recoveries": [late]}), None))
    assert [mark.text for mark in document.select("section[aria-labelledby=recovery] .bad")] == ["3"]
    assert len(document.select("rect.late")) == 1


def test_terminal_and_markdown(costs: Costs, sections: list[Section]) -> None:
    """Both have each cell, in 80 columns too; in Markdown each row has as many as its head."""
    terminal = io.StringIO()
    console.show(sections, report.answer(costs), Console(file=terminal, width=80))
    printed, text = terminal.getvalue(), markdown.sections_in_markdown(sections)
    for row in rows_of(sections):
        assert all(cell in text for cell in row)
        # Cells are broken between words, and no word is cut.
        assert all(word in printed for cell in row for word in cell.split())
    tables = re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE)
    assert len(tables) == sum(len(section.tables) for section in sections)
    assert all(len({line.count("|") for line in table.splitlines()}) == 1 for table in tables)


@pytest.mark.parametrize("field", [*MEASURED, "drain"])
def test_part_of_a_run(costs: Costs, field: str) -> None:
    """What was not measured has no section but the goals; any one field alone can be shown."""
    base = {"started": costs.started, "seconds": 1, "machine": costs.machine, "versions": {}, "write_path": ""}
    assert [section.key for section in report.sections(Costs(**base), None)] == ["goals"]
    part = Costs(**base, **{field: getattr(costs, field)})
    assert draw(report.sections(part, None)).select("#goals")


def test_scales() -> None:
    """The largest value fills a linear scale; bars follow one another; a power of ten is as far as another."""
    linear = Linear([2, 8])
    assert linear.bar(2, "x").bars == [Bar("x", 0, 25)]
    assert [(bar.start, bar.width) for bar in linear.chain([("x", 2, ""), ("y", 6, "")])] == [(0, 25), (25, 75)]
    ticks = [tuple(tick) for tick in Logarithmic([3, 40, 700]).ticks]
    assert ticks == [(0, "1"), (33.33, "10"), (66.67, "100"), (100, "1000")]
