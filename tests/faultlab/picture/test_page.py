"""The page says what the run has found: no more, no less, and nothing of it is fixed in advance."""

import re
from collections import Counter

import pytest
from bs4 import BeautifulSoup

from tests.faultlab.legend import LEGEND
from tests.faultlab.matrix.faults import FAULTS
from tests.faultlab.matrix.records import Cell, MatrixRun
from tests.faultlab.matrix.rules import CLIENTS
from tests.faultlab.matrix.seams import SEAMS
from tests.faultlab.picture.made_up import made_up_run
from tests.faultlab.picture.page import render
from tests.faultlab.submitted import OPERATIONS
from tests.support.history import Verdict
from todo_stack.twins import TWINS

RUN = made_up_run()


def page_of(run: MatrixRun) -> BeautifulSoup:
    """Return the page of a run."""
    return BeautifulSoup(render(run), "html.parser")


def page_of_cells(*cells: Cell) -> BeautifulSoup:
    """Return the page of a run with other cells."""
    return page_of(RUN.model_copy(update={"cells": cells}))


@pytest.fixture(scope="module")
def document() -> BeautifulSoup:
    """The page of a run in which each verdict is the expected one."""
    return page_of(RUN)


def test_legend_before_verdicts(document: BeautifulSoup) -> None:
    """Each verdict and each word that the page uses is explained before the first number."""
    first, *others = [card.get_text(" ", strip=True) for card in document.select(".card")]
    assert len(others) == len(TWINS)
    for word in ("seam", "fault", "client", *(verdict.value for verdict in Verdict)):
        assert word in first


def test_counts(document: BeautifulSoup) -> None:
    """A card for each twin has the number of each verdict with its share, per behaviour of the client and in all."""
    for twin, card in zip(TWINS, document.select("article.card"), strict=True):
        found = Counter((cell.verdict, cell.client) for cell in RUN.cells if cell.twin == twin.key)
        for verdict, row in zip(Verdict, card.select("tbody tr"), strict=True):
            heading, *columns = [part.get_text(" ", strip=True) for part in row.select("th, td")]
            numbers = [found[verdict, client] for client in CLIENTS]
            assert heading == f"{LEGEND[verdict].symbol} {verdict.value}"
            assert [int(column.split()[0]) for column in columns] == [*numbers, sum(numbers)]
            assert abs(int(columns[-1].split()[1]) - 100 * sum(numbers) / found.total()) <= 1


def test_without_harm() -> None:
    """Without a harm the page says so."""
    calm = [cell.model_copy(update={"verdict": Verdict.EXACTLY_ONCE}) for cell in RUN.cells]
    text = page_of_cells(*calm).get_text(" ", strip=True)
    assert text.count("left a user with something untrue.") == text.count("Nothing: no duplicate") == len(TWINS)


def test_map_without_scripts(document: BeautifulSoup) -> None:
    """Each cell is in the map as a symbol of its own, whose link opens it; each that is left out says why."""
    shown = {link["href"]: (link.text, str(link["title"])) for link in document.select(".map td a")}
    assert shown == {
        f"#{cell.anchor}": (LEGEND[cell.verdict].symbol, f"{cell.verdict.value}: {cell.because}") for cell in RUN.cells
    }
    assert len({entry.symbol for entry in LEGEND.values()}) == len(Verdict)
    reasons = [fault.why_left_out(seam) for seams in SEAMS.values() for fault in FAULTS for seam in seams]
    left_out = Counter(str(square["title"]) for square in document.select(".map td.impossible"))
    assert left_out == Counter([reason for reason in reasons if reason] * len(OPERATIONS))


def test_map_is_a_table(document: BeautifulSoup) -> None:
    """All rows of a panel are equally wide and begin with their fault, so that a screen reader can name each cell."""
    for panel in document.select("table.map"):
        columns = sum(int(str(head["colspan"])) for head in panel.select("tr.seams th"))
        for row in panel.select("tbody tr"):
            assert row.select("th[scope=row]")
            assert sum(int(str(square.get("colspan", "1"))) for square in row.select("td")) == columns


def test_unexpected_is_marked(document: BeautifulSoup) -> None:
    """A verdict that is not the expected one is marked in the map and named at the top with its command."""
    odd = made_up_run(2, as_expected=False)
    page = page_of(odd)
    assert odd.unexpected
    assert {str(link["href"]) for link in page.select(".map td.odd a")} == {f"#{c.anchor}" for c in odd.unexpected}
    assert [code.text for code in page.select(".alarm code")] == [cell.command for cell in odd.unexpected]
    assert "predicted before the run" not in page.get_text()
    assert "predicted before the run" in document.get_text()
    assert not document.select(".alarm, .odd")


def test_self_contained(document: BeautifulSoup) -> None:
    """The page is small, refers to nothing outside itself, and what it was given cannot become markup."""
    html = render(RUN)
    assert not re.search("https?://", html)
    assert not document.select("link:not([href='data:,']), img, iframe, script[src], reason")
    assert len(document.select("script")) == 2
    assert max(Counter(str(tag["id"]) for tag in document.select("[id]")).values()) == 1
    assert len(html) < 1500 * len(RUN.cells)


def test_part_of_a_run() -> None:
    """A run of one twin's single cell has a page, too; what was not run is neither a verdict nor left out."""
    document = page_of_cells(RUN.cells[-1])
    assert [card.text for card in document.select("article.card h2")] == ["flask-todo-restate"]
    assert len(document.select(".map td a")) == 1
    assert document.select(".map td.unrun")
