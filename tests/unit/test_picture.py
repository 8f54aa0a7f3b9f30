"""The picture says what the results say: no more, no less, and nothing of it is fixed in advance."""

import io
import random
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from bs4 import BeautifulSoup, Tag
from playwright.sync_api import Page, expect, sync_playwright
from pydantic import ValidationError
from rich.console import Console

from tests.lab.history import Outcome, Verdict
from tests.lab.picture import page, readme, table
from tests.lab.picture.__main__ import main
from tests.lab.picture.markers import NoMarkersError
from tests.lab.picture.results import (
    CLIENTS,
    OPERATIONS,
    TWINS,
    Cell,
    Event,
    Fault,
    Impossible,
    Machine,
    Price,
    Results,
    Seam,
    Told,
    Twin,
    count,
)
from tests.lab.picture.timeline import as_json, lanes
from tests.lab.picture.words import WORDS

LINKS: dict[Twin, list[str]] = {
    "basic": ["client to web", "web to database", "web to database", "client to web"],
    "restate": ["client to web", "web to ingress", "Restate to service", "service to database", "Restate to service"],
}


def made_up(seed: int = 1, *, faults: int = 4, cells_as_expected: bool = True) -> Results:
    """Return results that no run has found: seams, faults, verdicts and events are drawn at random."""
    dice = random.Random(seed)
    seams = [
        Seam(twin=twin, name=f"message {number} <{link[:3]}>", link=link, explains=f"made-up message {number}")
        for twin in TWINS
        for number, link in enumerate(LINKS[twin], 1)
    ]
    kinds = [
        Fault(name=f"fault {number} & more", explains=f"made-up fault {number}") for number in range(1, faults + 1)
    ]
    points = [(seam, fault) for seam in seams for fault in kinds]
    never = dice.sample(points, 3)
    return Results(
        seed=seed,
        started=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        seconds=61.5,
        machine=Machine(cores=2, memory_gib=4, system="made-up system"),
        versions={"PostgreSQL": "0.1-made-up", "Restate": "0.2-made-up", "Python": "0.3-made-up"},
        price={
            "basic": Price(add_p50_ms=4, add_p99_ms=8, processes=3, memory_mb=100),
            "restate": Price(add_p50_ms=10, add_p99_ms=32, processes=5, memory_mb=250),
        },
        seams=seams,
        faults=kinds,
        cells=[
            made_up_cell(dice, seam, fault, operation, client, as_expected=cells_as_expected)
            for seam, fault in points
            if (seam, fault) not in never
            for operation in OPERATIONS
            for client in CLIENTS
        ],
        impossible=[
            Impossible(twin=seam.twin, seam=seam.name, fault=fault.name, because="nothing waits there")
            for seam, fault in never
        ],
    )


def made_up_cell(
    dice: random.Random, seam: Seam, fault: Fault, operation: str, client: str, *, as_expected: bool
) -> Cell:
    """Return a cell with a verdict and events at random."""
    verdict = dice.choice(list(Verdict))
    return Cell.model_validate(
        {
            "twin": seam.twin,
            "operation": operation,
            "seam": seam.name,
            "fault": fault.name,
            "client": client,
            "verdict": verdict,
            "expected": verdict if as_expected or dice.random() < 0.9 else dice.choice(list(Verdict)),
            "because": f"It is made up that it was {verdict.value} for <reason> {dice.randint(1, 3)}.",
            "told": [Told(at=200, outcome=dice.choice(list(Outcome)), detail="503")],
            "effect": dice.randint(0, 2),
            "rows_when_held": dice.choice([None, 0, 1]),
            "events": [
                Event(at=1, link="client to web", direction="to server", kind="passed", label="POST /add"),
                Event(at=2.5, link=seam.link, direction="to server", kind="held", label="</script> COMMIT"),
                Event(at=4, link="web", kind="fault", label="SIGKILL web"),
                Event(at=100, link=seam.link, kind="reset"),
                Event(at=150, link="web", kind="heal", label="web started again"),
                Event(at=2000, link="everything", kind="fault", label="power cut"),
                Event(at=3000, link="everything", kind="heal", label="everything started again"),
            ],
        }
    )


@pytest.fixture(scope="module")
def results() -> Results:
    """Made-up results in which each verdict is the expected one."""
    return made_up()


@pytest.fixture(scope="module")
def document(results: Results) -> BeautifulSoup:
    """Their page."""
    return BeautifulSoup(page.render(results), "html.parser")


def cards(document: BeautifulSoup) -> list[Tag]:
    """Return the card of each twin."""
    return list(document.select("article.card"))


def test_round_trip(results: Results, tmp_path: Path) -> None:
    """What is written is read again, whole and in few bytes."""
    results.write(tmp_path / "results.json")
    assert Results.read(tmp_path / "results.json") == results
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]
    assert ": " not in (tmp_path / "results.json").read_text().split('"because"')[0]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"seams": []}, "has no seam"),
        ({"faults": []}, "there is no fault"),
        ({"cells": [*made_up().cells[:1], *made_up().cells[:1]]}, "2 cells are called"),
    ],
)
def test_contradictory_results(results: Results, change: dict[str, list[Cell]], complaint: str) -> None:
    """Cells at an unknown place, and two at the same one, are refused."""
    with pytest.raises(ValidationError, match=complaint):
        Results.model_validate({**dict(results), **change})


def test_counts_in_page(results: Results, document: BeautifulSoup) -> None:
    """The page opens with the number of each verdict in words, per twin and behaviour of the client."""
    for twin, card in zip(TWINS, cards(document), strict=True):
        rows = {}
        for row in card.select("tbody tr"):
            heading, *numbers = [part.get_text(" ", strip=True) for part in row.select("th, td")]
            rows[heading.split(" ", 1)[1]] = [int(number) for number in numbers]
        assert rows == {
            verdict.value: [count(results.of(twin, client))[verdict] for client in CLIENTS]
            + [count(results.of(twin))[verdict]]
            for verdict in Verdict
        }
        text = card.get_text(" ", strip=True)
        assert f"duplicated {count(results.of(twin))[Verdict.DUPLICATED]}, lost" in text


def test_numbers_follow_the_results() -> None:
    """Without a harm the page says so; nothing of the answer is fixed."""
    before = made_up()
    calm = [
        cell.model_copy(update={"verdict": Verdict.EXACTLY_ONCE, "expected": Verdict.EXACTLY_ONCE})
        for cell in before.cells
    ]
    text = BeautifulSoup(page.render(before.model_copy(update={"cells": calm})), "html.parser").get_text(
        " ", strip=True
    )
    assert text.count("duplicated 0, lost 0, left 0 stuck and 0 ghosts.") == 2
    assert text.count("Nothing: no duplicate, nothing lost") == 2


def test_map_without_scripts(results: Results, document: BeautifulSoup) -> None:
    """Each cell is in the map as a symbol of its own, whose link opens it; each impossible one says why."""
    shown = {link["href"]: (link.text, str(link["title"])) for link in document.select(".map td a")}
    assert shown == {
        f"#{cell.anchor}": (WORDS[cell.verdict].symbol, f"{cell.verdict.value}: {cell.because}")
        for cell in results.cells
    }
    assert len({word.symbol for word in WORDS.values()}) == len({word.css for word in WORDS.values()}) == len(Verdict)
    hatched = [str(square["title"]) for square in document.select(".map td.impossible")]
    assert hatched == ["nothing waits there"] * len(results.impossible) * len(OPERATIONS)


def test_map_is_a_table(document: BeautifulSoup) -> None:
    """All rows of a panel are equally wide and begin with their fault, so that a screen reader can name each cell."""
    for panel in document.select("table.map"):
        columns = sum(int(str(head["colspan"])) for head in panel.select("tr.seams th"))
        for row in panel.select("tbody tr"):
            assert row.select("th[scope=row]")
            assert sum(int(str(square.get("colspan", "1"))) for square in row.select("td")) == columns


def test_unexpected_is_marked() -> None:
    """A verdict that is not the expected one is marked in the map, named at the top, and comes with its command."""
    odd = made_up(2, cells_as_expected=False)
    document = BeautifulSoup(page.render(odd), "html.parser")
    assert odd.unexpected
    assert {str(link["href"]) for link in document.select(".map td.odd a")} == {
        f"#{cell.anchor}" for cell in odd.unexpected
    }
    alarm = document.select_one("section.alarm")
    assert alarm is not None
    assert [code.text for code in alarm.select("code")] == [cell.command for cell in odd.unexpected]
    assert "foretold before the run" not in document.get_text()


def test_nothing_unexpected(document: BeautifulSoup) -> None:
    """Without such a verdict there is no alarm, and the page says that all are as foretold."""
    assert not document.select(".alarm, .odd")
    assert "foretold before the run" in document.get_text()


def test_self_contained(results: Results) -> None:
    """The page refers to nothing outside itself, and what it was given cannot become markup."""
    html = page.render(results)
    assert "http://" not in html
    assert "https://" not in html
    document = BeautifulSoup(html, "html.parser")
    assert not document.select("link:not([href='data:,']), img, iframe, script[src], reason")
    assert len(document.select("script")) == 2
    ids = [str(tag["id"]) for tag in document.select("[id]")]
    assert len(ids) == len(set(ids))


def test_well_formed(results: Results) -> None:
    """Each element that is opened is closed, in order."""
    void = {"meta", "link", "br", "!doctype"}
    html = re.sub(r"<(script|style)\b.*?</\1>", "", page.render(results), flags=re.DOTALL)
    opened: list[str] = []
    for closing, name in re.findall(r"<(/?)(!?[a-z]+[0-9]?)\b(?:[^<>\"]|\"[^\"]*\")*>", html):
        if closing:
            assert opened.pop() == name
        elif name not in void:
            opened.append(name)
    assert not opened


def test_few_bytes(results: Results) -> None:
    """A thousand cells of thirty events come to fewer than five million bytes."""
    per_cell = len(page.render(results)) / len(results.cells)
    assert per_cell * 1000 < 2_500_000
    assert len(as_json(results)) / sum(len(cell.events) for cell in results.cells) * 30_000 < 2_500_000


def test_lanes(results: Results) -> None:
    """The processes of a write stand in the order in which it reaches them; the ingress is part of Restate."""
    assert lanes(results, "basic") == ["client", "web", "database"]
    assert lanes(results, "restate") == ["client", "web", "Restate", "service", "database"]


def test_price_in_page(results: Results, document: BeautifulSoup) -> None:
    """What Restate costs is computed from the run, and is said to be missing from a run without it."""
    rows = [row.get_text(" ", strip=True) for row in document.select("table.price tbody tr")]
    assert [row.split()[-1] for row in rows] == [
        f"{factor}\N{MULTIPLICATION SIGN}" for factor in ("2.5", "4.0", "1.7", "2.5")
    ]
    assert (
        "2.5 times the time for an add (4.0 ms become 10.0 ms at the median), 2 more processes" in document.get_text()
    )
    assert "Not measured in this run." in page.render(results.model_copy(update={"price": {}}))


def test_part_of_a_run(results: Results) -> None:
    """A run of one twin's single cell has a page, too; what was not run is neither a verdict nor impossible."""
    part = results.model_copy(update={"cells": results.of("restate")[:1], "price": {}})
    document = BeautifulSoup(page.render(part), "html.parser")
    assert [card.select_one("h2").text for card in cards(document)] == ["flask-todo-restate"]  # type: ignore[union-attr]
    assert len(document.select(".map td a")) == 1
    assert document.select(".map td.unrun")


def terminal(results: Results) -> str:
    """Return what is printed for these results."""
    console = Console(file=io.StringIO(), width=200)
    table.print_summary(results, console)
    output = console.file
    assert isinstance(output, io.StringIO)
    return output.getvalue()


def test_terminal(results: Results) -> None:
    """The terminal has the counts per twin in the order of the verdicts, a line per fault, and the price."""
    text = terminal(results)
    for twin in TWINS:
        numbers = [count(results.of(twin))[verdict] for verdict in Verdict]
        assert re.search(r"both\W+" + r"\W+".join(map(str, [*numbers, sum(numbers)])), text)
    for fault in results.faults:
        assert text.count(fault.name) == 1
    assert f"Each of {len(results.cells)} verdicts is the expected one." in text
    assert "2 more processes" in text


def test_terminal_of_unexpected() -> None:
    """A verdict that is not the expected one comes with the command that runs its cell again, on one line."""
    odd = made_up(2, cells_as_expected=False)
    lines = [line.strip() for line in terminal(odd).splitlines()]
    assert {cell.command for cell in odd.unexpected} <= set(lines)


def test_readme(results: Results, tmp_path: Path) -> None:
    """The README's table is put between its markers, touches nothing else, and is stale after another run."""
    path = tmp_path / "README.md"
    path.write_text(f"# Title\n\n{readme.SECTION.begin}\nold\n{readme.SECTION.end}\n\nThe rest.\n")
    assert not readme.is_current(path, results)
    readme.write(path, results)
    assert readme.is_current(path, results)
    text = path.read_text()
    assert text.startswith(f"# Title\n\n{readme.SECTION.begin}\n| twin |")
    assert text.endswith(f"{readme.SECTION.end}\n\nThe rest.\n")
    readme.write(path, results)
    assert path.read_text() == text
    assert not readme.is_current(path, made_up(2))


def test_readme_table(results: Results) -> None:
    """It has a row per twin and behaviour of the client, with all counts, and says what was measured."""
    lines = readme.render(results).splitlines()
    numbers = [[int(part.strip(" *")) for part in line.split("|")[3:-1]] for line in lines[2:6]]
    assert numbers == [
        [*(counts[verdict] for verdict in Verdict), counts.total()]
        for twin in TWINS
        for client in CLIENTS
        for counts in [count(results.of(twin, client))]
    ]
    assert "2026-01-02" in lines[7]
    assert "PostgreSQL 0.1-made-up" in lines[7]
    assert f"{len(results.cells)} writes" in lines[7]


@pytest.mark.parametrize(
    "text",
    [
        "",
        readme.SECTION.begin,
        f"{readme.SECTION.end}{readme.SECTION.begin}",
        f"{readme.SECTION.begin * 2}{readme.SECTION.end}",
    ],
)
def test_readme_without_place(results: Results, tmp_path: Path, text: str) -> None:
    """A README without both markers in order is left alone, and the message names them."""
    path = tmp_path / "README.md"
    path.write_text(text)
    with pytest.raises(NoMarkersError, match="needs the lines"):
        readme.write(path, results)
    assert path.read_text() == text


def test_drawn_again(results: Results, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From results.json alone, all that shows them can be made again."""
    source, html, text = tmp_path / "results.json", tmp_path / "compare.html", tmp_path / "README.md"
    results.write(source)
    text.write_text(f"{readme.SECTION.begin}\n{readme.SECTION.end}\n")
    main([str(source), "--page", str(html), "--readme", str(text)])
    assert html.read_text() == page.render(results)
    assert readme.is_current(text, results)
    assert f"{len(results.cells)} broken writes" in capsys.readouterr().out


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture
def chromium_page() -> Iterator[Page]:
    """A page of a headless Chromium, on which any error of a script fails the test."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    errors: list[str] = []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        opened = chromium.new_page()
        opened.on("pageerror", lambda error: errors.append(str(error)))
        opened.on("request", lambda request: errors.append(request.url) if request.url.startswith("http") else None)
        yield opened
        chromium.close()
    assert not errors


def test_opening_a_cell(chromium_page: Page, tmp_path: Path) -> None:
    """A cell opens by its address, a click and the keyboard, and shows the events, what was told, and the command."""
    odd = made_up(2, cells_as_expected=False)
    path = tmp_path / "compare.html"
    path.write_text(page.render(odd), encoding="utf-8")
    cell = odd.unexpected[0]
    chromium_page.goto(f"{path.as_uri()}#{cell.anchor}")
    dialog = chromium_page.get_by_role("dialog")
    expect(dialog).to_contain_text(cell.because)
    expect(dialog).to_contain_text(f"the rules foretold {cell.expected.value}")
    expect(dialog.locator("code")).to_have_text(cell.command)
    drawing = dialog.locator("svg")
    for label in ("POST /add", "</script> COMMIT held", "SIGKILL web", "connection reset", "web started again"):
        expect(drawing).to_contain_text(label)
    expect(drawing).to_contain_text(f"({cell.told[0].detail})")
    expect(drawing.locator(".gone")).to_have_count(len(lanes(odd, cell.twin)))  # the web twice, the client never

    chromium_page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    link = chromium_page.locator(".map td a").nth(0)
    link.click()
    expect(dialog).to_be_visible()
    chromium_page.keyboard.press("ArrowRight")
    second = str(chromium_page.locator(".map td a").nth(1).get_attribute("href"))
    assert chromium_page.evaluate("location.hash") == second
    chromium_page.keyboard.press("Escape")
    expect(chromium_page.locator(f".map a[href='{second}']")).to_be_focused()


def test_each_cell_can_be_drawn(chromium_page: Page, tmp_path: Path) -> None:
    """No cell's events are more than the page can draw."""
    results = made_up(3)
    path = tmp_path / "compare.html"
    path.write_text(page.render(results), encoding="utf-8")
    chromium_page.goto(path.as_uri())
    drawn = chromium_page.evaluate("order.map((anchor) => draw(read(anchor)).length)")
    assert len(drawn) == len(results.cells)
    assert min(drawn) > 1000
