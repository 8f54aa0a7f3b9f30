"""Page, terminal and READMEs say what a run has found: no more, no less, and nothing of it is fixed in advance."""

import io
import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from playwright.sync_api import Browser, Page, expect
from rich.console import Console

from tests.faultlab import published
from tests.faultlab.legend import HARM, LEGEND, Share
from tests.faultlab.matrix.cases import Case, every_case
from tests.faultlab.matrix.faults import FAULTS
from tests.faultlab.matrix.records import Cell, CellEvent, MatrixRun, latest
from tests.faultlab.matrix.rules import CLIENTS
from tests.faultlab.matrix.seams import SEAMS
from tests.faultlab.picture import markdown
from tests.faultlab.picture.console import print_run
from tests.faultlab.picture.page import lanes, render
from tests.faultlab.submitted import ClientAnswer
from tests.support.control import COMPARED
from tests.support.history import Outcome, Verdict
from todo_stack.twins import TWINS

FEW_FAULTS = ("connection reset", "kill web", "kill Restate", "power cut")
ROW_EVENTS = ("stalled", "released", "dropped", "reset", "lost")


def made_up_cell(dice: random.Random, case: Case, as_expected: bool) -> Cell:
    """Return a cell with a verdict and events that were never found."""
    verdict = dice.choice(list(Verdict))
    to_server = {"link": case.seam.link, "direction": "to server"}
    return case.cell(
        verdict,
        expected=verdict if as_expected or dice.random() < 0.9 else dice.choice(list(Verdict)),
        because=f"It is made up that it was {verdict.value} for <reason> {dice.randint(1, 3)}.",
        answers=[ClientAnswer(200, dice.choice(list(Outcome)), "503")],
        effect=dice.randint(0, 2),
        effect_when_held=dice.choice([None, 0, 1]),
        late=dice.randint(1, 99) / 10 if case.seam.delayed else None,
        events=[
            CellEvent(at=1, link="client to web", direction="to server", kind="passed", label="POST /add"),
            CellEvent(at=2.5, **to_server, kind="held", label="</script> COMMIT"),
            CellEvent(at=4, link="web", kind="fault", label="SIGKILL web"),
            *(CellEvent(at=100, **to_server, kind=kind, label="row") for kind in ROW_EVENTS),
            CellEvent(at=120, link="client to web", direction="to client", kind="passed", label="POST /add"),
            CellEvent(at=150, link="web", kind="heal", label="web started again"),
            CellEvent(at=2000, link="everything", kind="fault", label="power cut"),
            CellEvent(at=3000, link="everything", kind="heal", label="everything started again"),
        ],
    )


def made_up_run(seed: int, *, as_expected: bool = True) -> MatrixRun:
    """Return a run of a few faults."""
    dice = random.Random(seed)
    cells = [made_up_cell(dice, case, as_expected) for case in every_case() if case.fault.name in FEW_FAULTS]
    return published.read().model_copy(update={"cells": cells, "late": latest(cells)})


RUN = made_up_run(1)
ODD = made_up_run(2, as_expected=False)


def page_of(run: MatrixRun) -> BeautifulSoup:
    """Return the page of a run."""
    return BeautifulSoup(render(run), "html.parser")


@pytest.fixture(scope="module")
def document() -> BeautifulSoup:
    """The page of a run in which each verdict is the expected one."""
    return page_of(RUN)


def printed(run: MatrixRun) -> str:
    """Return what is printed of a run on a terminal of 80 columns."""
    output = io.StringIO()
    print_run(run, Console(file=output, width=80))
    return output.getvalue()


def rows(text: str, name: str) -> list[list[str]]:
    """Return the other columns of the rows that begin with this name."""
    found = [[cell.strip(" *") for cell in line.strip("│|").split(line[:1])] for line in text.splitlines() if line]
    return [columns for heading, *columns in found if heading == name]


@pytest.mark.parametrize("verdict", Verdict)
def test_counts(document: BeautifulSoup, verdict: Verdict) -> None:
    """All have the number of each verdict and its share, per twin and behaviour of the client."""
    expected = []
    for twin in COMPARED:
        for client in (*CLIENTS, "both"):
            found = [c.verdict for c in RUN.cells if c.twin == twin.key and client in (c.client, "both")]
            expected.append(str(Share(found.count(verdict), len(found))))
    assert [share for row in rows(printed(RUN), verdict.value) for share in row] == expected
    name, told, database = f"{LEGEND[verdict].symbol} {verdict.value}", LEGEND[verdict].client, LEGEND[verdict].database
    without_both = [share for number, share in enumerate(expected) if number % 3 < 2]
    assert rows(markdown.verdicts(RUN), name) == [[told, database, *without_both]]
    shown = [[part.get_text(" ", strip=True) for part in row("th") + row("td")] for row in document.select("tbody tr")]
    assert [name, told, database, *(re.sub(r"[()]", "", share) for share in expected)] in shown


@pytest.mark.parametrize("fault", FEW_FAULTS)
def test_how_late(document: BeautifulSoup, fault: str) -> None:
    """All have the longest time that a reminder was late, per twin and fault; nothing where none was tried."""
    expected = []
    for twin in TWINS:
        found = [cell.late for cell in RUN.cells if (cell.twin, cell.fault) == (twin.key, fault) and cell.late]
        expected.append(f"{max(found):.1f}" if found else "")
    assert any(expected)
    assert expected in rows(printed(RUN), fault)
    assert rows(markdown.late(RUN), fault) == [expected]
    shown = [[part.text for part in row(["th", "td"])] for row in document.select("table.operations tr")]
    assert [fault, *expected] in shown


def test_words_before_verdicts(document: BeautifulSoup) -> None:
    """Each word that the page uses is explained before the first number."""
    explained, verdicts = document.select(".card > *:not(h2)")[:2]
    assert [term.text for term in explained.select("b:first-child")] == ["seam", "fault", "client"]
    assert verdicts.name == "table"


def test_without_harm() -> None:
    """Without a harm the page says so."""
    calm = [cell.model_copy(update={"verdict": Verdict.EXACTLY_ONCE}) for cell in RUN.cells]
    page = page_of(RUN.model_copy(update={"cells": calm}))
    why = page.select_one("[aria-labelledby=why]")
    assert why
    assert len(re.findall("None of .* broken writes left a user with something untrue", why.text)) == len(COMPARED)
    assert not why.select("h4")


def test_map_without_scripts(document: BeautifulSoup) -> None:
    """Each cell is in the map as a symbol of its own, whose link opens it; each that is left out says why."""
    shown = {link["href"]: (link.text, str(link["title"])) for link in document.select(".map td a")}
    assert shown == {
        f"#{cell.anchor}": (LEGEND[cell.verdict].symbol, f"{cell.verdict.value}: {cell.because}") for cell in RUN.cells
    }
    assert len({entry.symbol for entry in LEGEND.values()}) == len(Verdict)
    every_seam = [seam for operations in SEAMS.values() for seams in operations.values() for seam in seams]
    reasons = [fault.why_left_out(seam) for fault in FAULTS for seam in every_seam]
    left_out = Counter(str(square["title"]) for square in document.select(".map td.impossible"))
    assert left_out == Counter(reason for reason in reasons if reason)


def test_map_is_a_table(document: BeautifulSoup) -> None:
    """All rows of a panel are equally wide and begin with their fault, so that a screen reader can name each cell."""
    for panel in document.select("table.map"):
        columns = sum(int(str(head["colspan"])) for head in panel.select("tr.seams th"))
        assert columns == sum(int(str(head["colspan"])) for head in panel.select("tr.links th"))
        for row in panel.select("tbody tr"):
            assert row.select("th[scope=row]")
            assert sum(int(str(square.get("colspan", "1"))) for square in row.select("td")) == columns


def test_unexpected_is_marked(document: BeautifulSoup) -> None:
    """A verdict that is not the expected one is marked in the map and named with its command, on one line."""
    page, terminal = page_of(ODD), printed(ODD)
    commands = [cell.command for cell in ODD.unexpected]
    assert commands
    assert {str(link["href"]) for link in page.select(".map td.odd a")} == {f"#{c.anchor}" for c in ODD.unexpected}
    assert [code.text for code in page.select(".alarm code")] == commands
    assert {*commands} <= {line.strip() for line in terminal.splitlines()}
    assert "predicted before the run" not in page.get_text()
    assert "as predicted." not in terminal
    assert "predicted before the run" in document.get_text()
    assert "verdicts is as predicted." in printed(RUN)
    assert not document.select(".alarm, .odd")
    assert "…" not in terminal + printed(RUN)


def test_self_contained() -> None:
    """The page is small, refers to nothing outside itself, and what it was given cannot become markup."""
    html = render(RUN)
    document = BeautifulSoup(html, "html.parser")
    assert not re.search("https?://", html)
    assert not document.select("link:not([href='data:,']), img, iframe, script[src], reason")
    assert len(document.select("script")) == 2
    assert max(Counter(str(tag["id"]) for tag in document.select("[id]")).values()) == 1
    assert len(html) < 1500 * len(RUN.cells)


def test_part_of_a_run() -> None:
    """A run of one twin's single cell has a page, too; what was not run is neither a verdict nor left out."""
    document = page_of(RUN.model_copy(update={"cells": RUN.cells[-1:]}))
    assert [head.text for head in document.select(".verdicts .twin")] == [f"{COMPARED[-1].title}, client"]
    assert len(document.select(".map td a")) == 1
    assert document.select(".map td.unrun")


@pytest.mark.parametrize(
    ("number", "total", "percent"),
    [(0, 5, "0 %"), (1, 3, "33 %"), (5, 5, "100 %"), (1, 1000, "1 %"), (999, 1000, "99 %"), (0, 0, "0 %")],
)
def test_percent(number: int, total: int, percent: str) -> None:
    """Only none is 0 % and only all is 100 %."""
    assert Share(number, total).percent == percent


def test_markdown_tells_what_was_run() -> None:
    """The reasons of the harms come with a command, and the rest with date, versions and seed."""
    assert markdown.harms(RUN).count("See one: `make compare ONLY=") == len(HARM) * len(COMPARED) * 3
    postgresql = RUN.versions["PostgreSQL"]
    assert f"Run on {RUN.started:%Y-%m-%d} with PostgreSQL {postgresql}" in markdown.measured(RUN)
    assert f"| {RUN.cells[0].fault} |" in markdown.verdicts_by_fault(RUN)


@pytest.fixture
def page(chromium: Browser, tmp_path: Path) -> Iterator[Page]:
    """The page in a headless Chromium; an error of a script or a request to another host fails the test."""
    (tmp_path / "compare.html").write_text(render(ODD), encoding="utf-8")
    errors: list[str] = []
    page = chromium.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: errors.append(request.url) if request.url.startswith("http") else None)
    page.goto((tmp_path / "compare.html").as_uri())
    yield page
    page.close()
    assert not errors


def test_opening_a_cell(page: Page) -> None:
    """A cell opens by its address and shows the events, what was told, and the command."""
    cell = ODD.unexpected[0]
    page.goto(f"{page.url}#{cell.anchor}")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(cell.because)
    expect(dialog).to_contain_text(f"Not as predicted: {cell.comparison}")
    expect(dialog.locator("code")).to_have_text(cell.command)
    drawing = dialog.locator("svg")
    messages = "POST /add|</script> COMMIT held|row stalled|row let go|row dropped|row cut off|row: nobody there"
    others = "answer to POST /add|SIGKILL web|web started again|power cut|(503)"
    for text in f"{messages}|{others}".split("|"):
        expect(drawing).to_contain_text(text)
    (twin,) = (twin for twin in COMPARED if twin.key == cell.twin)
    # All processes were gone in the power cut, and the web once before.
    expect(drawing.locator(".gone")).to_have_count(len(lanes(twin, cell.operation)))


def test_keyboard(page: Page) -> None:
    """Arrows lead from cell to cell, and the one that was open last has the focus when it is closed."""
    links = page.locator(".map td a")
    links.nth(0).click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("ArrowRight")
    second = links.nth(1)
    assert page.evaluate("location.hash") == second.get_attribute("href")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(second).to_be_focused()


def test_filter(page: Page) -> None:
    """One verdict can be shown alone in the map."""
    page.get_by_role("button", name="LOST").click()
    assert page.locator(".map td.chosen").count() == sum(cell.verdict.value == "LOST" for cell in ODD.cells)
    page.get_by_role("button", name="LOST").click()
    expect(page.locator("body.filtered")).to_have_count(0)


@pytest.mark.whole
def test_each_cell_can_be_drawn(page: Page) -> None:
    """No cell has events that the page cannot draw."""
    drawn = page.evaluate("""async () => {
        const drawn = {};
        for (const link of document.querySelectorAll(".map td a")) {
            const opened = new Promise((done) => addEventListener("hashchange", done, { once: true }));
            location.hash = link.hash;
            await opened;
            const command = document.querySelector("#cell-body code").textContent;
            drawn[command] = document.querySelectorAll(".story tr").length;
        }
        return drawn;
    }""")
    assert drawn.keys() == {cell.command for cell in ODD.cells}
    assert min(drawn.values()) > len(ODD.cells[0].events)
